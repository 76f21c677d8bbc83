/** `bulkhead fleet server init ADDRESS...`: all that the servers of a fleet need. */
import { existsSync } from 'node:fs';
import { count } from '../../../../packages/base/list.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../../cli/shared/output.ts';
import { namePattern } from '../../core/fields.ts';
import { writeServers } from '../../io/server/server-files.ts';
import { serverStateFile } from '../../io/server/server-state.ts';
import type { FleetServerInitJson } from '../json.ts';
import { type DirectoryOptions, withKeysOptions } from '../shared-options.ts';
import { copyText, placesOf, startText } from './places.ts';

interface InitOptions extends DirectoryOptions {
  readonly name: string;
}

function init(addresses: readonly string[], options: InitOptions): ExitCode {
  const { directory, name: fleet, json } = options;
  const servers = placesOf(addresses);
  if (!servers.ok) return failWith(servers.error);
  const problem = problemOf(addresses, fleet);
  if (problem !== undefined) return failWith(problem);
  if (existsSync(serverStateFile(directory)))
    return failWith({
      action: 'make servers in',
      object: directory,
      reason: 'it has servers already',
      hint: '"bulkhead fleet server add" makes three of one',
    });
  const written = writeServers(directory, fleet, servers.value);
  if (!written.ok) return failWith(written.error);
  const shown: FleetServerInitJson = { fleet, directory, servers: [...addresses] };
  if (json === true) printJson(shown);
  else print(textOf(shown));
  return exitCodes.done;
}

const textOf = ({ directory, servers }: FleetServerInitJson) =>
  [
    `The files of ${count(servers.length, 'server')} are in ${directory}. Next:`,
    ...servers.map((address) => copyText(directory, address)),
    'and on each of them, where nats-server is installed:',
    startText,
  ].join('\n');

function problemOf(addresses: readonly string[], fleet: string): Problem | undefined {
  if (!namePattern.test(fleet))
    return {
      action: 'name a fleet',
      object: fleet,
      reason: 'a name has up to 63 lower case letters, digits and "-"',
    };
  if ([1, 3, 5].includes(addresses.length)) return undefined;
  return {
    action: `make ${addresses.length} servers`,
    reason: 'more than half of them must run, so more of them help only as 3 or 5',
    hint: 'name 1, 3 or 5 addresses',
  };
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the DNS name of each server: one, three or five of them');
    withKeysOptions(command)
      .requiredOption('--name <name>', 'the name of the fleet')
      .addHelpText(
        'after',
        examples(
          ['bulkhead fleet server init --name example nats-1.example.org', 'for up to 300 hosts'],
          [
            'bulkhead fleet server init --name example nats-{1,2,3}.example.org',
            'one of them may fail',
          ],
        ),
      )
      .action(run(init));
  },
};
