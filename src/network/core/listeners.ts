/**
 * Sockets that wait for somebody, and whose they are, from the kernel's tables:
 *
 *     0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001 0 23717 …     /proc/net/tcp
 *
 * Addresses are words of 32 bits in the byte order of the host, which is little-endian wherever Bulkhead runs.
 */
export interface Listener {
  /** 4 or 16 bytes; all zero for every address. */
  readonly address: Uint8Array;
  readonly port: number;
  readonly uid: number;
}

/** Listening for TCP; not connected for UDP. Source: include/net/tcp_states.h. */
const waiting = { tcp: '0A', udp: '07' } as const;

const line =
  /^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) \S+ \S+ \S+ +(\d{1,10}) /;

/** Parses such a table; lines that are none are left out. */
export const parseListeners = (text: string, protocol: 'tcp' | 'udp'): readonly Listener[] =>
  text.split('\n').flatMap((each) => {
    const [, address = '', port = '', state, uid] = line.exec(each) ?? [];
    if (state !== waiting[protocol]) return [];
    return [{ address: inNetworkOrder(address), port: parseInt(port, 16), uid: Number(uid) }];
  });

function inNetworkOrder(hex: string): Uint8Array {
  const words = Uint8Array.fromHex(hex);
  for (let at = 0; at < words.length; at += 4) words.subarray(at, at + 4).reverse();
  return words;
}

/** Returns the socket that gets what is sent there: one of this address first, then one of all addresses. */
export function listenerAt(
  listeners: readonly Listener[],
  address: Uint8Array,
  port: number,
): Listener | undefined {
  const there = listeners.filter((each) => each.port === port);
  const isSame = ({ address: own }: Listener) =>
    own.length === address.length && own.every((byte, index) => byte === address[index]);
  const isAny = ({ address: own }: Listener) => own.every((byte) => byte === 0);
  const isOfFamily = ({ address: own }: Listener) => own.length === address.length;
  return (
    there.find(isSame) ??
    there.find((each) => isAny(each) && isOfFamily(each)) ??
    // A socket of IPv6 takes IPv4 too, unless it is told not to, which no table shows.
    there.find((each) => isAny(each) && address.length === 4)
  );
}
