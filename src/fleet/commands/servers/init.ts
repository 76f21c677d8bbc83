/** `bulkhead fleet server init ADDRESS...`: all that the servers of a fleet need. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { count } from '../../../../packages/base/list.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../../cli/shared/output.ts';
import { namePattern } from '../../core/fields.ts';
import type { ServerPlace } from '../../io/server/nats-conf.ts';
import { natsUnit, watchUnit } from '../../io/server/nats-units.ts';
import { writeServers } from '../../io/server/server-files.ts';
import { serverStateFile } from '../../io/server/server-state.ts';
import type { FleetServerInitJson } from '../json.ts';
import { keysDirectoryOption, type ServerOptions } from './directory.ts';

interface InitOptions extends ServerOptions {
  readonly name: string;
}

/** The place of a server's own files on its machine. */
const files = '/etc/bulkhead-fleet-nats';

function init(addresses: readonly string[], options: InitOptions): ExitCode {
  const { directory, name: fleet, json } = options;
  const servers = placesOf(addresses, fleet);
  if (!servers.ok) return failWith(servers.error);
  if (existsSync(serverStateFile(directory)))
    return failWith({
      action: 'make servers in',
      object: directory,
      reason: 'it has servers already',
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
    ...servers.map(
      (address) =>
        `  ssh root@${address} mkdir -p ${files} && scp -r ${join(directory, 'servers', address)}/. root@${address}:${files}/`,
    ),
    'and on each of them, where nats-server is installed:',
    `  systemctl enable --now ${files}/${natsUnit} ${files}/${watchUnit}`,
  ].join('\n');

/** A DNS name: certificates of IP addresses are not checked by the client. */
const addressPattern =
  /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*(?!\d+$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

function placesOf(
  addresses: readonly string[],
  fleet: string,
): Result<readonly ServerPlace[], Problem> {
  if (!namePattern.test(fleet))
    return failed({
      action: 'name a fleet',
      object: fleet,
      reason: 'a name has up to 63 lower case letters, digits and "-"',
    });
  const bad = addresses.find((address) => !addressPattern.test(address));
  if (bad !== undefined)
    return failed({
      action: 'use the address',
      object: bad,
      reason: 'that is not a DNS name in lower case letters',
      hint: 'write for example "nats-1.example.org"',
    });
  if (new Set(addresses).size < addresses.length)
    return failed({ action: 'make servers', reason: 'an address is there twice' });
  if (![1, 3, 5].includes(addresses.length))
    return failed({
      action: `make ${addresses.length} servers`,
      reason: 'more than half of them must run, so more of them help only as 3 or 5',
      hint: 'name 1, 3 or 5 addresses',
    });
  return ok(addresses.map(placeOf));
}

const placeOf = (address: string): ServerPlace => ({
  name: address,
  address,
  listen: '0.0.0.0',
  port: 4222,
  clusterPort: 6222,
  monitorPort: 8222,
  files,
  // LoadCredential of the unit puts it there.
  keyFile: `/run/credentials/${natsUnit}/tls.key`,
  data: '/var/lib/bulkhead-fleet-nats',
});

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the DNS name of each server: one, three or five of them');
    command
      .requiredOption('--name <name>', 'the name of the fleet')
      .addOption(keysDirectoryOption())
      .option('--json', 'print as JSON')
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
