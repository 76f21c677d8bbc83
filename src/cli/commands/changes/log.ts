/** `bulkhead policy log`: lists the recorded changes. */
import type { Command } from 'commander';
import { changedBetween } from '../../../apply/change-record.ts';
import { listChanges, readChangeTexts, type ListedChange } from '../../../apply/read-changes.ts';
import type { Paths } from '../../../host/paths.ts';
import type { ValueChange } from '../../../policy/changes/describe.ts';
import { exitCodes, type ExitCode } from '../../shared/command.ts';
import { targetOf } from '../../shared/edit-policy.ts';
import { parsePeriod, type PeriodOptions } from '../../shared/period.ts';
import { failWith, pathsFor, print, printError, printJson } from '../../shared/session.ts';
import { terminalOf } from '../../shared/terminal.ts';
import type { PolicyLogJson } from './json.ts';
import { changeJson, changeLines } from './change-text.ts';

interface LogOptions extends PeriodOptions {
  readonly tenant?: string;
  readonly json?: boolean;
}

export function log(options: LogOptions, command: Command): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const period = parsePeriod(options, Date.now());
  if (!period.ok) {
    printError(period.error);
    return exitCodes.usage;
  }
  const listed = listChanges(paths, period.value);
  if (!listed.ok) return failWith(listed.error);
  const { tenant } = options;
  const shown =
    tenant === undefined
      ? listed.value
      : listed.value.flatMap((each) => changeOfAccount(each, namesOf(tenant, paths), paths));
  if (options.json === true) {
    printJson({ changes: shown.map(changeJson) } satisfies PolicyLogJson);
    return exitCodes.done;
  }
  if (shown.length === 0) print('No changes were recorded in this period');
  const { colors } = terminalOf(process.stdout);
  for (const each of shown) print(changeLines(each, colors));
  return exitCodes.done;
}

/** Returns the names by which a policy may have the account: its user name and its uid. */
function namesOf(tenant: string, paths: Paths): readonly string[] {
  const { name, alias } = targetOf('tenant', tenant, paths);
  const names = [name, ...(alias === undefined ? [] : [alias])];
  return names.map((each) => (each.kind === 'user' ? each.user : `${each.uid}`));
}

/** Returns the change with the values of the account only; none if it has none. */
function changeOfAccount(
  change: ListedChange,
  names: readonly string[],
  paths: Paths,
): readonly ListedChange[] {
  const values = valuesOf(change, paths).filter(({ accounts }) =>
    accounts.some((each) => names.includes(each)),
  );
  return values.length === 0 ? [] : [{ ...change, changed: { count: values.length, values } }];
}

/** Returns all values: only the first ones of a large change are in the record. */
function valuesOf({ number, changed }: ListedChange, paths: Paths): readonly ValueChange[] {
  if (changed === undefined || changed.count === changed.values.length)
    return changed?.values ?? [];
  const texts = readChangeTexts(paths, number);
  if (!texts.ok) return changed.values;
  const all = changedBetween(texts.value.before, texts.value.after, Infinity);
  return all.changed?.values ?? changed.values;
}
