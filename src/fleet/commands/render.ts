/** `bulkhead fleet render HOST`: the plain policy of a host, which is what is signed. */
import type { Command } from 'commander';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { print, printJson } from '../../cli/shared/output.ts';
import { type DirectoryOptions, withFleetOptions } from './shared-options.ts';
import type { FleetRenderJson } from './json.ts';
import { documentOrReport, fleetOrReport } from './read-fleet.ts';

function render(host: string, options: DirectoryOptions, command: Command): ExitCode {
  const read = fleetOrReport(options.directory, command);
  const document = read && documentOrReport(read, host, 'render the policy of');
  if (read === undefined || document === undefined) return exitCodes.failed;
  const { name: fleet, hosts } = read.fleet;
  const wave = hosts.find(({ name }) => name === host)?.wave ?? 1;
  const { text } = document;
  if (options.json === true) printJson({ fleet, host, wave, text } satisfies FleetRenderJson);
  else print(text);
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'a host of the fleet');
    withFleetOptions(command)
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet render web-017', 'in the directory with fleet.xml'],
          ['bulkhead fleet render web-017 > web-017.xml', 'for "bulkhead plan web-017.xml" there'],
        ),
      )
      .action(run(render));
  },
};
