/** `bulkhead fleet server add ADDRESS ADDRESS`: makes three servers of one. */
import { count } from '../../../../packages/base/list.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../../cli/shared/output.ts';
import { addServers } from '../../io/server/add-servers.ts';
import { natsUnit } from '../../io/server/nats-units.ts';
import type { FleetServerAddJson } from '../json.ts';
import { type DirectoryOptions, withKeysOptions } from '../shared-options.ts';
import { copyText, placesOf, serverData, startText } from './places.ts';

function add(addresses: readonly string[], { directory, json }: DirectoryOptions): ExitCode {
  const places = placesOf(addresses);
  if (!places.ok) return failWith(places.error);
  const grown = addServers(directory, places.value);
  if (!grown.ok) return failWith(grown.error);
  const { state, without } = grown.value;
  const servers = state.servers.map(({ address }) => address);
  const shown: FleetServerAddJson = { fleet: state.fleet, directory, servers, without };
  if (json === true) printJson(shown);
  else print(textOf(shown));
  return exitCodes.done;
}

const textOf = ({ directory, servers: [first = '', ...added], without }: FleetServerAddJson) =>
  [
    `The files of ${count(added.length + 1, 'server')} are in ${directory}. Next:`,
    ...[first, ...added].map((address) => copyText(directory, address)),
    `on the new ones, where nats-server is installed:`,
    startText,
    `on ${first}, whose streams begin anew:`,
    `  systemctl restart ${natsUnit} && rm -r ${serverData}/jetstream`,
    'and on the centre, which fills them again:',
    '  systemctl restart bulkhead-fleet-server',
    'Hosts use the new servers once they have their files of credentials/ again.',
    ...(without.length === 0 ? [] : [`Files that are not there any more: ${without.join(', ')}`]),
  ].join('\n');

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the DNS names of the two new servers');
    withKeysOptions(command)
      .addHelpText(
        'after',
        examples([
          'bulkhead fleet server add nats-2.example.org nats-3.example.org',
          'beside the one that there is',
        ]),
      )
      .action(run(add));
  },
};
