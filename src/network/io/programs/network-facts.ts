/**
 * Facts of the host's network for the programs: its addresses, and the cookie of its namespace.
 *
 *     fd770000000000000000000000000001 02 40 00 80     np0        /proc/net/if_inet6
 */
import { closeSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { readText } from '../../../../packages/base/io/read.ts';
import { openSocket, readSocketOption } from '../../../sys/syscalls.ts';
import type { NetworkFacts } from '../../core/maps/network-maps.ts';

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const SOL_SOCKET = 1;
/** Linux 5.14. Source: asm-generic/socket.h. */
const SO_NETNS_COOKIE = 71;

export const readNetworkFacts = (proc: string): NetworkFacts => ({
  addresses: [...ipv4Addresses(), ...parseIpv6Addresses(readText(`${proc}/net/if_inet6`) ?? '')],
  cookie: namespaceCookie(),
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

/** Returns 0 if the kernel does not tell. */
function namespaceCookie(): bigint {
  const opened = openSocket(AF_INET, SOCK_DGRAM_CLOEXEC, 0);
  if ('error' in opened) return 0n;
  try {
    const value = new BigUint64Array(1);
    const read = readSocketOption(opened.fd, SOL_SOCKET, SO_NETNS_COOKIE, value);
    return read === value.byteLength ? (value[0] ?? 0n) : 0n;
  } finally {
    closeSync(opened.fd);
  }
}
