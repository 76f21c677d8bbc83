/** A list in words: how many modules may load, and why the others may not, each reason once where it is that of many. */
import { count } from '../../../base/list.ts';
import { printable } from '../../../base/printable.ts';
import { listedDigests, type GateList, type GateModule, type ListChange } from './gate-list.ts';

/** With more modules, a reason is told once and the modules are only counted. */
const namedMax = 10;

/** Why no module at all may load, if that is one reason for all: then nothing could be judged. */
export function unjudged({ modules }: GateList): string | undefined {
  const [reason, ...others] = new Set(modules.map((each) => each.refusedReason));
  return others.length === 0 ? (reason ?? undefined) : undefined;
}

/** What changed, a module a line, where there was a list before. */
export function listText(list: GateList, change: ListChange): string {
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
