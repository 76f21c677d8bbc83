/** `bulkhead doctor --security`: which protections of a host are good, which are lacking, and which it cannot have. */
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import { print, printJson } from '../../cli/shared/output.ts';
import { peopleOf } from '../../host/accounts/people.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { hostItems } from '../core/host-items.ts';
import type { SecurityItem as Item } from '../../../packages/base/security-item.ts';
import { judgeSettings } from '../core/judge.ts';
import { laterLine } from '../core/sysctl-files.ts';
import { hardenPathsOf, readSysctlFiles, sysctlReader } from '../io/places.ts';
import { readHardenFacts } from '../io/read-host.ts';
import { itemsText } from './items-text.ts';
import type { SecurityItemJson, SecurityReport } from '../../cli/commands/json.ts';

/** Prints the report; the exit code is 3 if anything is lacking. */
export function securityReport(
  paths: Paths,
  policy: Policy | undefined,
  { json, more }: { readonly json: boolean; readonly more: readonly Item[] },
): ExitCode {
  const items = [
    ...settingItems(paths),
    ...hostItems(readHardenFacts(peopleOf(policy, paths), paths)),
    ...more,
  ];
  if (json) printJson({ items: items.map(itemJson) } satisfies SecurityReport);
  else print(itemsText(items));
  return items.some(({ verdict }) => verdict === 'lacking') ? exitCodes.found : exitCodes.done;
}

/** Returns the items, with the line of a file that would undo at the next boot what `harden` writes. */
function settingItems(paths: Paths): readonly Item[] {
  const places = hardenPathsOf(paths);
  const files = readSysctlFiles(places);
  return judgeSettings(sysctlReader(places)).map((each) => {
    if (each.verdict !== 'lacking') return each;
    const later = laterLine(each.key, places.file, files);
    if (later === undefined) return each;
    const remark = `${each.remark}; ${later.path}:${later.line} sets it to ${later.value} at boot, and wins`;
    return { ...each, remark };
  });
}

const itemJson = ({ now, wanted, breaks, since, remark, ...rest }: Item): SecurityItemJson => ({
  ...rest,
  now: now ?? null,
  wanted: wanted ?? null,
  breaks: breaks ?? null,
  since: since ?? null,
  remark: remark ?? null,
});
