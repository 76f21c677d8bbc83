/** `bulkhead console disable`: nothing listens for browsers any more. */
import type { Command } from 'commander';
import { exitCodes, type CommandModule, type ExitCode } from '../../cli/shared/command.ts';
import { failWith, print } from '../../cli/shared/output.ts';
import { disableConsole } from '../io/console-units.ts';
import { hostPaths } from './host.ts';

interface DisableOptions {
  readonly dryRun?: boolean;
}

async function disable({ dryRun }: DisableOptions, command: Command): Promise<ExitCode> {
  const paths = hostPaths(command, 'disable the console');
  if (typeof paths === 'number') return paths;
  if (dryRun === true) {
    print('stops bulkhead-console.socket, and has it not start at boot');
    return exitCodes.done;
  }
  const done = await disableConsole(paths);
  if (!done.ok) return failWith(done.error);
  print('The console is disabled; "bulkhead console end --all" also ends its sessions');
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    command.option('--dry-run', 'print what would be done; changes nothing').action(run(disable));
  },
};
