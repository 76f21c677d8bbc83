/**
 * Identifies the peer of a unix socket by SO_PEERCRED. Connections are limited per uid and some are reserved for root: a
 * tenant that opens as many as it can never locks root out.
 *
 * There are two sockets: the host's, and one in jails. Both share the limits. Processes in jails get only a part of them,
 * so that they lock out neither the tenant's processes outside nor tenants without a jail.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { peerUid } from '../../sys/sockets/sockets.ts';
import type { Admission, ConnectionIdentity } from './admission.ts';
import type { Caller } from './caller.ts';

const connectionsMax = 512;
const keptForRoot = 128;
const perUidMax = 16;
const jailedMax = 192;
const perJailedUidMax = 8;

export type PeerKind = Exclude<Caller['kind'], 'token'>;

/** The open connections of both sockets. */
export class PeerConnections {
  readonly #uids = new Map<number, number>();
  readonly #jailedUids = new Map<number, number>();
  #open = 0;
  #jailed = 0;

  /** Counts a connection, if it may be opened. */
  enter(kind: PeerKind, uid: number): boolean {
    if (!this.#mayConnect(kind, uid)) return false;
    this.#open++;
    add(this.#uids, uid, 1);
    if (kind === 'uid') return true;
    this.#jailed++;
    add(this.#jailedUids, uid, 1);
    return true;
  }

  leave(kind: PeerKind, uid: number): void {
    this.#open--;
    add(this.#uids, uid, -1);
    if (kind === 'uid') return;
    this.#jailed--;
    add(this.#jailedUids, uid, -1);
  }

  #mayConnect(kind: PeerKind, uid: number): boolean {
    if (kind === 'uid' && uid === 0) return this.#open < connectionsMax;
    if ((this.#uids.get(uid) ?? 0) >= perUidMax) return false;
    if (this.#open >= connectionsMax - keptForRoot) return false;
    return kind === 'uid' || this.#mayConnectFromJail(uid);
  }

  /** No process in a jail is root: root that comes here was led by a tenant's link. */
  #mayConnectFromJail(uid: number): boolean {
    if (uid === 0 || this.#jailed >= jailedMax) return false;
    return (this.#jailedUids.get(uid) ?? 0) < perJailedUidMax;
  }
}

function add(counts: Map<number, number>, uid: number, change: number): void {
  const count = (counts.get(uid) ?? 0) + change;
  if (count <= 0) counts.delete(uid);
  else counts.set(uid, count);
}

export class Peers implements Admission {
  readonly #kind: PeerKind;
  readonly #connections: PeerConnections;
  readonly #uids = new WeakMap<Socket, number>();

  constructor(kind: PeerKind, connections: PeerConnections) {
    this.#kind = kind;
    this.#connections = connections;
  }

  admit(socket: Socket): boolean {
    const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
    const uid = fd < 0 ? undefined : peerUid(fd);
    if (uid === undefined || !this.#connections.enter(this.#kind, uid)) return false;
    this.#uids.set(socket, uid);
    socket.once('close', () => this.#connections.leave(this.#kind, uid));
    return true;
  }

  identify({ socket }: IncomingMessage): ConnectionIdentity {
    const uid = this.#uids.get(socket);
    return uid === undefined ? 'nobody' : { kind: this.#kind, uid };
  }
}
