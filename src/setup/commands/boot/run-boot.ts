/** Runs `bulkhead setup boot` and its `undo`. */
import type { Command } from 'commander';
import { canAsk, confirm } from '../../../cli/confirm.ts';
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { failWith, pathsFor } from '../../../cli/shared/output.ts';
import { thisHost, type BootHost } from '../../../host/boot/boot-host.ts';
import type { Paths } from '../../../host/paths.ts';
import { lockBoot } from '../../io/boot/boot-record-file.ts';
import type { Ask, BootOptions } from './ask.ts';
import { writeOptions } from './write.ts';
import { takeBack } from './take-back.ts';

export async function boot({ undo: isUndo }: BootOptions, command: Command): Promise<ExitCode> {
  // "setup" has options of the same names, and takes their values wherever they stand.
  const given = command.optsWithGlobals<BootOptions>();
  const options = isUndo === true ? { ...given, undo: true } : given;
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (process.geteuid?.() !== 0)
    return failWith({
      action: 'change boot options',
      reason: 'only root may',
      hint: 'run it as root',
    });
  const ask: Ask = async (question) => {
    if (options.yes === true) return true;
    return options.json === true || !canAsk() ? undefined : confirm(question);
  };
  return runBoot(thisHost, paths, options, ask);
}

/** Runs the command that takes it all back. */
export const undo = (_options: BootOptions, command: Command): Promise<ExitCode> =>
  boot({ undo: true }, command);

/** Runs the command on a host, which a test has made. */
export async function runBoot(
  host: BootHost,
  paths: Paths,
  options: BootOptions,
  ask: Ask,
): Promise<ExitCode> {
  const lock = options.dryRun === true ? undefined : lockBoot(paths);
  if (lock !== undefined && !lock.ok)
    return failWith({ ...lock.error, hint: 'another "bulkhead setup boot" runs; wait for it' });
  using _lock = lock?.value;
  return options.undo === true
    ? takeBack(host, paths, options, ask)
    : writeOptions(host, paths, options, ask);
}
