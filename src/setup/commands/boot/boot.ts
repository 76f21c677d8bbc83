/** `bulkhead setup boot`: changes how this host boots, apart from all other steps. It never reboots. */
import { Option, type Command } from 'commander';
import { canAsk, confirm } from '../../../cli/confirm.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, pathsFor } from '../../../cli/shared/output.ts';
import { thisHost, type BootHost } from '../../../host/boot/boot-host.ts';
import type { Paths } from '../../../host/paths.ts';
import { namedOptions } from '../../core/boot/options.ts';
import { loaderNames } from '../../core/boot/record.ts';
import { lockBoot } from '../../io/boot/boot-record-file.ts';
import type { Ask, BootOptions } from './ask.ts';
import { writeOptions } from './write.ts';
import { takeBack } from './take-back.ts';

async function boot(_options: BootOptions, command: Command): Promise<ExitCode> {
  // "setup" has options of the same names, and takes their values wherever they stand.
  const options = command.optsWithGlobals<BootOptions>();
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

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(
        new Option('--add <options...>', 'also add what is only added if it is named').choices(
          namedOptions,
        ),
      )
      .addOption(
        new Option('--loader <name>', 'the boot loader, if this host has several').choices(
          loaderNames,
        ),
      )
      .option('--undo', 'make everything as it was before')
      .option('--dry-run', 'show the exact change; changes nothing')
      .option('-y, --yes', 'do not ask')
      .option('--json', 'print as JSON, and do not ask')
      .addHelpText(
        'after',
        examples(
          ['bulkhead setup boot --dry-run', 'what this host lacks, and the exact change'],
          ['bulkhead setup boot', 'shows the change, and writes it after one "y"'],
          ['bulkhead setup boot --add favordynmods', 'also this option, which has a price'],
          ['bulkhead setup boot --undo', 'the boot options as they were before'],
        ),
      )
      .action(run(boot));
  },
};
