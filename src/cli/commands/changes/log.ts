/** `bulkhead policy log`: lists the recorded changes. */
import type { Command } from 'commander';
import { changesOfAccounts, namesOfAccount } from '../../../apply/edits/account-changes.ts';
import { listChanges } from '../../../apply/read-changes.ts';
import { exitCodes, type ExitCode } from '../../shared/command.ts';
import { parsePeriod, type PeriodOptions } from '../../shared/period.ts';
import { failWith, pathsFor, print, printError, printJson } from '../../shared/session.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { terminalOf } from '../../shared/terminal.ts';
import type { PolicyLogJson } from './json.ts';
import { changeJson, changeLines } from './change-text.ts';

interface LogOptions extends PeriodOptions {
  readonly tenant?: string;
  readonly json?: boolean;
}

/** The list of a tenant has only its own elements of the policy. */
const nothingRecorded = (tenant: string | undefined) =>
  tenant === undefined
    ? 'No changes were recorded in this period'
    : `No changes of "${printable(tenant)}" itself were recorded in this period; without --tenant, changes of packages and of the defaults are listed, too`;

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
      : changesOfAccounts(listed.value, namesOfAccount(tenant, paths), paths);
  if (options.json === true) {
    printJson({ changes: shown.map(changeJson) } satisfies PolicyLogJson);
    return exitCodes.done;
  }
  if (shown.length === 0) print(nothingRecorded(tenant));
  const { colors } = terminalOf(process.stdout);
  for (const each of shown) print(changeLines(each, colors));
  return exitCodes.done;
}
