/**
 * A list in words: how many modules may load, and why the others may not. A reason that many share
 * is stated once.
 */
import { count } from '../../../../packages/base/list.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { listedDigests, type GateList, type GateModule, type ListChange } from './gate-list.ts';

/** The most modules that are named for a reason; beyond that they are only counted. */
const namedMax = 10;

/** Returns the one reason why no module may load, if all share it: nothing could be judged then. */
export function unjudged({ modules }: GateList): string | undefined {
  const [reason, ...others] = new Set(modules.map((each) => each.refusedReason));
  return others.length === 0 ? (reason ?? undefined) : undefined;
}

/** Returns the list in words, and what changed since the list before it, a module a line. */
export function formatGateList(list: GateList, change: ListChange): string {
  const { modules, release } = list;
  const none = unjudged(list);
  if (none !== undefined)
    return printable(
      `Linux ${release}: none of ${count(modules.length, 'module')} may load: ${none}`,
    );
  const refused = modules.filter((each) => each.refusedReason !== null);
  const isFirst = change.added.length === listedDigests(list).length;
  return [
    `Linux ${release}: ${count(modules.length - refused.length, 'module')} may load, ${refused.length} may not`,
    ...refusedLines(refused),
    ...(isFirst ? [] : change.added.map((each) => `  new      ${each.file}`)),
    ...change.removed.map((each) => `  gone     ${each.file}`),
  ]
    .map(printable)
    .join('\n');
}

function refusedLines(refused: readonly GateModule[]): readonly string[] {
  const byReason = Map.groupBy(refused, (each) => each.refusedReason);
  return [...byReason].flatMap(([reason, modules]) =>
    modules.length > namedMax
      ? [`  refused  ${count(modules.length, 'module')}: ${reason}`]
      : modules.map((each) => `  refused  ${each.name}: ${reason}`),
  );
}
