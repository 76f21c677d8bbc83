/** `bulkhead network connections`: the sockets of a tenant, of all its uids, as the kernel lists them now. */
import type { Command } from 'commander';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print, printJson } from '../../cli/shared/output.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { table, terminalOf } from '../../cli/shared/terminal.ts';
import { formatAddress } from '../../../packages/base/ip-address.ts';
import { printable } from '../../../packages/base/printable.ts';
import { readSubordinateUids } from '../../host/accounts/subordinate-uids.ts';
import { listInetSockets, type InetSocket } from '../../sys/sockets/inet-diag.ts';
import type { NetworkConnectionJson, NetworkConnectionsJson } from './json.ts';
import { askedAsRoot, askedTenant, type NetworkOptions } from './whole-policy.ts';

const action = 'show the connections of';
const shownMax = 200;

async function connections(
  name: string,
  options: NetworkOptions,
  command: Command,
): Promise<ExitCode> {
  const asked = await askedAsRoot(command, options.policy, action);
  if (typeof asked === 'number') return asked;
  const tenant = askedTenant(asked.policy, name, action);
  if (typeof tenant === 'number') return tenant;
  const ranges = readSubordinateUids(asked.paths, new Set([tenant.uid]));
  const isOwn = (uid: number) =>
    uid === tenant.uid || ranges.some(([first, last]) => first <= uid && uid <= last);
  const listed = await listInetSockets();
  if (!listed.ok) return failWith({ action, object: name, ...listed.error });
  const own = listed.value.filter(({ uid }) => isOwn(uid)).toSorted((a, b) => rank(a) - rank(b));
  const shown = options.json === true ? own : own.slice(0, shownMax);
  const result: NetworkConnectionsJson = {
    tenant: name,
    connections: shown.map(jsonOf),
    more: own.length - shown.length,
  };
  if (options.json === true) printJson(result);
  else print(textOf(result));
  return exitCodes.done;
}

/** The order: sockets that listen, then the rest. */
const rank = ({ state }: InetSocket) => (state === 'LISTEN' ? 0 : 1);

function jsonOf({
  protocol,
  state,
  address,
  port,
  peer,
  peerPort,
  uid,
}: InetSocket): NetworkConnectionJson {
  const hasPeer = peerPort !== 0;
  return {
    protocol,
    state,
    address: formatAddress(address),
    port,
    peer: hasPeer ? formatAddress(peer) : '',
    peerPort: hasPeer ? peerPort : 0,
    uid,
  };
}

function textOf({ tenant, connections: all, more }: NetworkConnectionsJson): string {
  if (all.length === 0) return `${printable(tenant)} has no sockets`;
  const { colors } = terminalOf(process.stdout);
  const place = (address: string, port: number) =>
    address === '' ? '' : `${address.includes(':') ? `[${address}]` : address}:${port}`;
  const rows = all.map((each) => [
    each.protocol,
    each.state,
    place(each.address, each.port),
    place(each.peer, each.peerPort),
    String(each.uid),
  ]);
  const head = ['PROTOCOL', 'STATE', 'AT', 'WITH', 'UID'].map(colors.dim);
  const rest = more > 0 ? [`… and ${more} more; --json has all`] : [];
  return [table([head, ...rows], [4]), ...rest].join('\n');
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'an account name or a uid');
    command
      .addOption(policyOption())
      .option('--json', 'print as JSON, all of them')
      .addHelpText(
        'after',
        examples(
          [
            'bulkhead network connections alice',
            'where her programs listen, and with whom they talk',
          ],
          ['bulkhead network connections alice --json', 'the same for a program'],
        ),
      )
      .action(run(connections));
  },
};
