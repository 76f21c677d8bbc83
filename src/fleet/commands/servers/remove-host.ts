/** `bulkhead fleet host remove NAME` */
import { count } from '../../../../packages/base/list.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../../cli/shared/output.ts';
import { removeHost } from '../../io/server/hosts.ts';
import type { FleetHostRemoveJson } from '../json.ts';
import { type DirectoryOptions, withKeysOptions } from '../shared-options.ts';

async function remove(host: string, { directory, json }: DirectoryOptions): Promise<ExitCode> {
  const removed = await removeHost(directory, host);
  if (!removed.ok) return failWith(removed.error);
  const shown: FleetHostRemoveJson = { host, ...removed.value };
  if (json === true) printJson(shown);
  else print(textOf(shown));
  return exitCodes.done;
}

function textOf({ host, servers, of }: FleetHostRemoveJson): string {
  const away = of - servers;
  const later = away === 0 ? '' : `; ${count(away, 'server')} will once it is back`;
  return `${count(servers, 'server')} let ${host} in no longer${later}`;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the name of the host');
    withKeysOptions(command)
      .addHelpText(
        'after',
        examples(['bulkhead fleet host remove web-017', 'and "host add" makes it a new file']),
      )
      .action(run(remove));
  },
};
