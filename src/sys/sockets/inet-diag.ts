/**
 * Lists TCP and UDP sockets with the accounts that made them, of all processes of this network namespace.
 *
 * A request is a struct inet_diag_req_v2, each answer a struct inet_diag_msg:
 *
 *     0  u8 family, u8 protocol, u8 extensions, u8 padding, u32 states, then the id (48 bytes)         request
 *     0  u8 family, u8 state, u8 timer, u8 retransmissions                                             answer
 *     4  the id: u16 port and u16 peer's port, 16 bytes address, 16 bytes peer's, in network order
 *     64 u32 uid
 *
 * Source: sock_diag(7), linux/inet_diag.h.
 */
import type { Cause } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { netlinkList } from './netlink.ts';

const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const families = { ipv4: 2, ipv6: 10 } as const;
const protocols = { tcp: 6, udp: 17 } as const;
const requestBytes = 56;
const answerBytes = 72;
const allStates = 0xffff_ffff;
/** More sockets of one kind than a host has. */
const socketsMax = 500_000;

/** Source: net/tcp_states.h. */
const states = [
  '',
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT1',
  'FIN_WAIT2',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'CLOSING',
  'NEW_SYN_RECV',
] as const;

export interface InetSocket {
  readonly protocol: keyof typeof protocols;
  /** The state, as the kernel names it. */
  readonly state: string;
  /** Addresses of 4 or 16 bytes. A peer of zeros is none. */
  readonly address: Uint8Array;
  readonly port: number;
  readonly peer: Uint8Array;
  readonly peerPort: number;
  readonly uid: number;
}

/** Returns all of them, or why the kernel does not list them. */
export async function listInetSockets(): Promise<Result<readonly InetSocket[], Cause>> {
  const found: InetSocket[] = [];
  for (const protocol of ['tcp', 'udp'] as const)
    for (const family of ['ipv4', 'ipv6'] as const) {
      const body = new Uint8Array(requestBytes);
      body.set([families[family], protocols[protocol]]);
      new DataView(body.buffer).setUint32(4, allStates, true);
      const request = { type: SOCK_DIAG_BY_FAMILY, body };
      const listed = await netlinkList(NETLINK_SOCK_DIAG, request, socketsMax);
      if (!listed.ok) return listed;
      found.push(...listed.value.bodies.flatMap((each) => socketIn(each, protocol) ?? []));
    }
  return ok(found);
}

export function socketIn(
  body: Uint8Array,
  protocol: InetSocket['protocol'],
): InetSocket | undefined {
  const family = body[0];
  if (body.length < answerBytes || (family !== families.ipv4 && family !== families.ipv6))
    return undefined;
  const view = new DataView(body.buffer, body.byteOffset);
  const bytes = family === families.ipv4 ? 4 : 16;
  return {
    protocol,
    state: states[body[1] ?? 0] ?? '',
    port: view.getUint16(4),
    peerPort: view.getUint16(6),
    address: body.slice(8, 8 + bytes),
    peer: body.slice(24, 24 + bytes),
    uid: view.getUint32(64, true),
  };
}
