/**
 * Identifies the peer of a unix socket by SO_PEERCRED. Connections are limited per uid and some are reserved for root: a
 * tenant that opens as many as it can never locks root out.
 *
 * There are two sockets: the host's, and one in jails. Both share the limits. Processes in jails get only a part of them,
 * so that they lock out neither the tenant's processes outside nor tenants without a jail.
 *
 * Many tenants together lock nobody out, either: where all connections are taken, the uid with the most loses its newest
 * one to a uid with fewer. If each has one, the oldest is dropped for the newest, after a second.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { peerUid } from '../../../sys/sockets/sockets.ts';
import type { Admission, ConnectionIdentity } from './admission.ts';
import type { Caller } from '../caller.ts';

const connectionsMax = 512;
const keptForRoot = 128;
const perUidMax = 16;
const jailedMax = 192;
const perJailedUidMax = 8;
/** The time that each uid has for its only connection. */
const onlyConnectionMsMin = 1000;

export type PeerKind = Exclude<Caller['kind'], 'token' | 'session'>;

interface OpenConnection {
  readonly kind: PeerKind;
  readonly uid: number;
  readonly since: number;
  readonly drop: () => void;
}

/** The open connections of both sockets, the oldest first. */
export class PeerConnections {
  readonly #clock: () => number;
  readonly #open = new Set<OpenConnection>();

  /** `clock`: monotonic, in milliseconds. */
  constructor(clock = () => performance.now()) {
    this.#clock = clock;
  }

  /** Counts a connection until the result is disposed; undefined if it may not be opened. `drop` closes it for another. */
  enter(kind: PeerKind, uid: number, drop: () => void): Disposable | undefined {
    if (!this.#mayConnect(kind, uid)) return undefined;
    const connection = { kind, uid, since: this.#clock(), drop };
    this.#open.add(connection);
    return { [Symbol.dispose]: () => this.#open.delete(connection) };
  }

  #mayConnect(kind: PeerKind, uid: number): boolean {
    // No process in a jail is root: root that comes there was led by a tenant's link.
    if (uid === 0) return kind === 'uid' && this.#open.size < connectionsMax;
    const isJailed = (each: OpenConnection) => each.kind === 'jailed';
    const own = this.#tenants().filter((each) => each.uid === uid);
    if (own.length >= perUidMax) return false;
    if (kind === 'jailed') {
      if (own.filter(isJailed).length >= perJailedUidMax) return false;
      if (!this.#canTake(this.#tenants().filter(isJailed), jailedMax, uid)) return false;
    }
    return this.#canTake(this.#tenants(), connectionsMax - keptForRoot, uid);
  }

  #tenants(): readonly OpenConnection[] {
    return [...this.#open].filter(({ uid }) => uid !== 0);
  }

  /** Whether there is room among these connections, or has been made for a uid that has fewer than another. */
  #canTake(connections: readonly OpenConnection[], max: number, uid: number): boolean {
    if (connections.length < max) return true;
    const victim = this.#victimFor(uid, connections);
    if (victim === undefined) return false;
    this.#open.delete(victim);
    victim.drop();
    return true;
  }

  #victimFor(uid: number, connections: readonly OpenConnection[]): OpenConnection | undefined {
    const byUid = [...Map.groupBy(connections, (each) => each.uid).values()];
    const own = connections.filter((each) => each.uid === uid).length;
    const most = byUid.reduce((a, b) => (b.length > a.length ? b : a), []);
    if (most.length >= own + 2) return most.at(-1);
    const [oldest] = connections;
    const isLate = oldest !== undefined && this.#clock() - oldest.since >= onlyConnectionMsMin;
    return own === 0 && isLate ? oldest : undefined;
  }
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
    if (uid === undefined) return false;
    const entered = this.#connections.enter(this.#kind, uid, () => socket.destroy());
    if (entered === undefined) return false;
    this.#uids.set(socket, uid);
    socket.once('close', () => entered[Symbol.dispose]());
    return true;
  }

  identify({ socket }: IncomingMessage): ConnectionIdentity {
    const uid = this.#uids.get(socket);
    return uid === undefined ? 'nobody' : { kind: this.#kind, uid };
  }
}
