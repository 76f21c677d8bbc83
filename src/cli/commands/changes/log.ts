/** `bulkhead policy log`: lists the recorded changes. */
import type { Command } from 'commander';
import { reaching } from '../../../apply/edits/changes-reaching.ts';
import { listChanges } from '../../../apply/read-changes.ts';
import { policyReaderOf } from '../../capability.ts';
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

const nothingRecorded = (tenant: string | undefined) =>
  tenant === undefined
    ? 'No changes were recorded in this period'
    : `No change to ${printable(tenant)} in this period`;

export async function log(options: LogOptions, command: Command): Promise<ExitCode> {
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
      : listed.value.flatMap(reaching(tenant, paths, await policyReaderOf(command)));
  if (options.json === true) {
    printJson({ changes: shown.map(changeJson) } satisfies PolicyLogJson);
    return exitCodes.done;
  }
  if (shown.length === 0) print(nothingRecorded(tenant));
  const { colors } = terminalOf(process.stdout);
  for (const each of shown) print(changeLines(each, colors));
  return exitCodes.done;
}
