/**
 * Facts of the host's network for the programs: its addresses, and the inode of its namespace.
 *
 *     fd770000000000000000000000000001 02 40 00 80     np0        /proc/net/if_inet6
 */
import { statSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { readText } from '../../../../packages/base/io/read.ts';
import type { NetworkFacts } from '../../core/maps/network-maps.ts';

export const readNetworkFacts = (proc: string): NetworkFacts => ({
  addresses: [...ipv4Addresses(), ...parseIpv6Addresses(readText(`${proc}/net/if_inet6`) ?? '')],
  namespace: statSync('/proc/self/ns/net').ino,
});

const ipv4Addresses = (): readonly Uint8Array[] =>
  Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ family }) => family === 'IPv4')
    .map(({ address }) => Uint8Array.from(address.split('.').map(Number)));

export const parseIpv6Addresses = (text: string): readonly Uint8Array[] =>
  text
    .split('\n')
    .flatMap((line) => /^[0-9a-f]{32}(?= )/.exec(line)?.[0] ?? [])
    .map((hex) => Uint8Array.fromHex(hex));
