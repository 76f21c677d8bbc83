/**
 * Facts of the host's network for the programs: its addresses, and the inode of its namespace.
 *
 *     fd770000000000000000000000000001 02 40 00 80     np0        /proc/net/if_inet6
 */
import { statSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { samePrefix } from '../../../../packages/base/ip-address.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import type { NetworkFacts } from '../../core/maps/network-maps.ts';

export function readNetworkFacts(proc: string): NetworkFacts {
  const own = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .filter(({ family }) => family === 'IPv4')
    .map(({ address, netmask }) => ({ address: bytesOf(address), netmask: bytesOf(netmask) }));
  const six = parseIpv6Addresses(readText(`${proc}/net/if_inet6`) ?? '');
  return {
    addresses: [...own.map(({ address }) => address), ...six],
    // An address of one network can be the last one of another, and is the host's then.
    broadcasts: own
      .flatMap(broadcastOf)
      .filter((each) => !own.some(({ address }) => samePrefix(address, each, 32))),
    namespace: statSync('/proc/self/ns/net').ino,
  };
}

const bytesOf = (text: string) => Uint8Array.from(text.split('.').map(Number));

interface Network {
  readonly address: Uint8Array;
  readonly netmask: Uint8Array;
}

/** Networks of one or two addresses have none. Source: RFC 3021. */
export const broadcastOf = ({ address, netmask }: Network): readonly Uint8Array[] =>
  (netmask[3] ?? 0) >= 254
    ? []
    : [address.map((byte, index) => byte | (~(netmask[index] ?? 0) & 0xff))];

export const parseIpv6Addresses = (text: string): readonly Uint8Array[] =>
  text
    .split('\n')
    .flatMap((line) => /^[0-9a-f]{32}(?= )/.exec(line)?.[0] ?? [])
    .map((hex) => Uint8Array.fromHex(hex));
