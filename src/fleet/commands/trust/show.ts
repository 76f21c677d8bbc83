/** `bulkhead fleet trust show` */
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../../cli/shared/output.ts';
import { readTrust } from '../../io/directory/fleet-directory.ts';
import { type DirectoryOptions, withFleetOptions } from '../shared-options.ts';
import { trustJson, trustText } from './kept.ts';

function show({ directory, json }: DirectoryOptions): ExitCode {
  const kept = readTrust(directory);
  if (!kept.ok) return failWith(kept.error);
  const shown = trustJson(kept.value);
  if (json === true) printJson(shown);
  else print(trustText(shown));
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    withFleetOptions(command)
      .addHelpText('after', examples(['bulkhead fleet trust show -C ~/fleet', 'who may sign']))
      .action(run(show));
  },
};
