/** `bulkhead fleet server forget HOST`: a host that was installed anew may sign with another key. */
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, print } from '../../../cli/shared/output.ts';
import { openStore } from './open-store.ts';
import { centreDirectoryOption, type DirectoryOptions } from '../shared-options.ts';

async function forget(host: string, { directory }: DirectoryOptions): Promise<ExitCode> {
  const opened = await openStore(directory);
  if (!opened.ok) return failWith(opened.error);
  using store = opened.value;
  const forgotten = store.forget(host);
  if (!forgotten.ok) return failWith(forgotten.error);
  if (!forgotten.value)
    return failWith({ action: 'forget', object: host, reason: 'the centre does not know it' });
  print(`The key with which ${host} signs next is the one that counts`);
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the name of the host');
    command
      .addOption(centreDirectoryOption())
      .addHelpText(
        'after',
        examples(['bulkhead fleet server forget web-017', 'after it was installed anew']),
      )
      .action(run(forget));
  },
};
