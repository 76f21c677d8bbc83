/**
 * Makes the list of a kernel: a scan of its modules, judged as the policy says. Writes nothing yet.
 */
import type { Command } from 'commander';
import { hostRoots, runningRelease } from '../../../../packages/modules/io/kernel/kernel-files.ts';
import { pathsOr, scanFor } from '../../../../packages/modules/io/scan/scan.ts';
import type { GateLists } from '../../io/gate/gate-lists.ts';
import {
  changesOf,
  gateListOf,
  type GateList,
  type ListChange,
} from '../../core/gate/gate-list.ts';
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { printError, failWith } from '../../../cli/shared/output.ts';
import { demandOrReport, openerOrReport, withReading, type DemandOptions } from '../setup.ts';

export interface MadeList {
  readonly list: GateList;
  readonly change: ListChange;
}

/**
 * Makes the list of the release, or of the running kernel if none is named. If a status is
 * returned, the problems have been printed.
 */
export async function makeList(
  release: string | undefined,
  options: DemandOptions,
  command: Command,
  lists: GateLists,
): Promise<MadeList | ExitCode> {
  const demand = await demandOrReport(options, command);
  if (typeof demand === 'number') return demand;
  const isRunning = release === undefined || release === runningRelease(hostRoots);
  const directories = isRunning ? undefined : [`${hostRoots.modules}/${release}`];
  const reading = { cache: true, ...(directories === undefined ? {} : { kernel: directories }) };
  const open = openerOrReport(reading);
  if (open === undefined) return exitCodes.failed;
  const inputs = pathsOr([], directories);
  if (!inputs.ok) return failWith(inputs.error);
  const report = await withReading(reading, (choices) =>
    scanFor(() => open(), inputs.value, demand, choices),
  );
  if (!report.ok) return failWith(report.error);
  for (const { file, message } of report.value.problems)
    printError(`${file}: ${message}; it is not on the list`);
  const list = gateListOf(report.value);
  const before = lists.read(list.release);
  if (!before.ok) printError(before.error);
  return { list, change: changesOf(before.ok ? before.value : undefined, list) };
}
