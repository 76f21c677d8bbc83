/**
 * A recorded change, as text and as JSON.
 *
 *     12  2026-11-30 17:20:03  root (SUDO_USER=carol), set: in force
 *         tenant "alice": cpu.limit 100% → 150%
 */
import { printable } from '../../../../packages/base/printable.ts';
import type { ListedChange } from '../../../apply/read-changes.ts';
import { describeChange } from '../../../policy/changes/describe.ts';
import { dateTime } from '../../shared/format.ts';
import { count } from '../../shared/session.ts';
import type { Colors } from '../../shared/terminal.ts';
import type { PolicyChangeJson } from './json.ts';

const shownMax = 10;
const indent = ' '.repeat(6);

export function changeLines(change: ListedChange, colors: Colors): string {
  const { number, at, way, outcome, problems } = change;
  const paint = paints(colors)[outcome] ?? colors.dim;
  const head = `${String(number).padStart(4)}  ${dateTime(at)}  ${printable(authorOf(change))}, ${printable(way)}: `;
  const values = change.beforeKey === undefined ? ['the record begins'] : valueLines(change);
  const lines = [...values, ...problems.map((each) => `why: ${each}`)];
  return [head + paint(outcome), ...lines.map((each) => indent + printable(each))].join('\n');
}

const paints = ({ green, red }: Colors): Readonly<Record<string, (text: string) => string>> => ({
  'in force': green,
  failed: red,
  refused: red,
});

/** Returns a line for each value that changed, at most ten. */
export function valueLines({ changed }: Pick<ListedChange, 'changed'>): readonly string[] {
  if (changed === undefined) return ['the change in values is unknown'];
  if (changed.count === 0) return ['only comments, layout or nothing'];
  const lines = changed.values.slice(0, shownMax).map(describeChange);
  const more = changed.count - lines.length;
  return more > 0 ? [...lines, `and ${count(more, 'more value')}`] : lines;
}

function authorOf({ uid, user, remark }: ListedChange): string {
  if (uid === undefined) return 'somebody';
  return `${user ?? `uid ${uid}`}${remark === undefined ? '' : ` (${remark})`}`;
}

export function changeJson(change: ListedChange): PolicyChangeJson {
  const { number, at, file, way, outcome, uid, user, remark, changed, problems, textKey } = change;
  return {
    number,
    at,
    file,
    way,
    outcome,
    problems,
    sha256: textKey,
    ...(uid !== undefined && { uid }),
    ...(user !== undefined && { user }),
    ...(remark !== undefined && { remark }),
    ...(changed !== undefined && { values: changed.values, valueCount: changed.count }),
  };
}
