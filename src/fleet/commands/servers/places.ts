/** The places of servers, as the commands that make them have them. */
import { join } from 'node:path';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { ServerPlace } from '../../io/server/nats-conf.ts';
import { natsUnit, watchUnit } from '../../io/server/nats-units.ts';

/** The places of a server's own files, and of what it stores, on its machine. */
const serverFiles = '/etc/bulkhead-fleet-nats';
export const serverData = '/var/lib/bulkhead-fleet-nats';

/** A DNS name: certificates of IP addresses are not checked by the client. */
const addressPattern =
  /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*(?!\d+$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Returns the places of servers with these DNS names, each of them there once. */
export function placesOf(addresses: readonly string[]): Result<readonly ServerPlace[], Problem> {
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
  return ok(addresses.map(placeOf));
}

const placeOf = (address: string): ServerPlace => ({
  name: address,
  address,
  listen: '0.0.0.0',
  port: 4222,
  clusterPort: 6222,
  monitorPort: 8222,
  files: serverFiles,
  // LoadCredential of the unit puts it there.
  keyFile: `/run/credentials/${natsUnit}/tls.key`,
  data: serverData,
});

/** Returns the command that copies a server's files to its machine. */
export const copyText = (directory: string, address: string): string =>
  `  ssh root@${address} mkdir -p ${serverFiles} && scp -r ${join(directory, 'servers', address)}/. root@${address}:${serverFiles}/`;

/** The command that starts a server, for its machine. */
export const startText = `  systemctl enable --now ${serverFiles}/${natsUnit} ${serverFiles}/${watchUnit}`;
