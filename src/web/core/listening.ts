/**
 * Sockets that somebody listens on.
 *
 *     Num       RefCount Protocol Flags    Type St Inode Path
 *     0000…000: 00000002 00000000 00010000 0001 01 24211 /run/php/shop.sock          /proc/net/unix
 *
 *       sl  local_address rem_address   st … uid timeout inode
 *        0: 0100007F:1F90 00000000:0000 0A … 0 0 23717 …                             /proc/net/tcp, tcp6
 *
 * Source: unix(7), net/ipv4/tcp_ipv4.c, get_tcp4_sock(): words of an address are in the byte order of the host,
 * which is little-endian wherever Bulkhead runs.
 */
import { parseAddress, type Address } from './address.ts';

export interface ListeningSocket {
  readonly address: Address;
  readonly inode: string;
}

/** __SO_ACCEPTCON of linux/net.h. */
const accepting = 0x10000;
const unixLine =
  /^[0-9a-fA-F]+: [0-9A-F]+ [0-9A-F]+ ([0-9A-F]+) [0-9A-F]+ [0-9A-F]+ +(\d+) (\/.*)$/;

export function parseUnixSockets(text: string): readonly ListeningSocket[] {
  return text.split('\n').flatMap((line): ListeningSocket[] => {
    const [, flags = '0', inode = '', path = ''] = unixLine.exec(line) ?? [];
    if (path === '' || (Number.parseInt(flags, 16) & accepting) === 0) return [];
    return [{ address: { kind: 'unix', path }, inode }];
  });
}

/** SS_CONNECTED of linux/net.h: the end that was accepted has the path, too. */
const connectedLine = /^[0-9a-fA-F]+: [0-9A-F]+ [0-9A-F]+ [0-9A-F]+ [0-9A-F]+ 03 +(\d+) (\/.*)$/;

/** Inodes of connections that came in at one of these paths. */
export function parseUnixConnections(text: string, paths: ReadonlySet<string>): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const [, inode = '', path = ''] = connectedLine.exec(line) ?? [];
    return paths.has(path) ? [inode] : [];
  });
}

const tcpLine =
  /^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) \S+ 0A \S+ \S+ \S+ +(\d+) +\d+ (\d+)/;

export interface TcpSocket extends ListeningSocket {
  /** The uid that made the socket. */
  readonly uid: number;
}

export function parseTcpSockets(text: string): readonly TcpSocket[] {
  return text.split('\n').flatMap((line): TcpSocket[] => {
    const [, host = '', port = '', uid = '', inode = ''] = tcpLine.exec(line) ?? [];
    const address =
      host === '' ? undefined : parseAddress(`${hostOf(host)}:${Number.parseInt(port, 16)}`);
    return address === undefined ? [] : [{ address, inode, uid: Number(uid) }];
  });
}

/** IPv4 in IPv6 is written as IPv4. */
function hostOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) =>
    (word.match(/../g) ?? []).toReversed().map((byte) => Number.parseInt(byte, 16)),
  );
  const isMapped = /^0{16}(?:0000FFFF|FFFF0000)/.test(hex);
  if (bytes.length === 4 || isMapped) return bytes.slice(-4).join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16),
  );
  return `[${groups.join(':')}]`;
}
