/**
 * Identifies the peer of a unix socket by SO_PEERCRED. Connections are limited per uid and some are
 * reserved for root: a tenant that opens as many as it can never locks root out.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { peerUid } from '../../sys/sockets/sockets.ts';
import type { Admission, ConnectionIdentity } from './admission.ts';

const connectionsMax = 512;
const keptForRoot = 128;
const perUidMax = 16;

export class Peers implements Admission {
  readonly #uids = new WeakMap<Socket, number>();
  readonly #connections = new Map<number, number>();
  #open = 0;

  admit(socket: Socket): boolean {
    const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
    const uid = fd < 0 ? undefined : peerUid(fd);
    if (uid === undefined || !this.#mayConnect(uid)) return false;
    this.#open++;
    this.#connections.set(uid, (this.#connections.get(uid) ?? 0) + 1);
    this.#uids.set(socket, uid);
    socket.once('close', () => this.#leave(uid));
    return true;
  }

  identify({ socket }: IncomingMessage): ConnectionIdentity {
    const uid = this.#uids.get(socket);
    return uid === undefined ? 'nobody' : { kind: 'uid', uid };
  }

  #mayConnect(uid: number): boolean {
    if (uid === 0) return this.#open < connectionsMax;
    if ((this.#connections.get(uid) ?? 0) >= perUidMax) return false;
    return this.#open < connectionsMax - keptForRoot;
  }

  #leave(uid: number): void {
    this.#open--;
    const left = (this.#connections.get(uid) ?? 1) - 1;
    if (left === 0) this.#connections.delete(uid);
    else this.#connections.set(uid, left);
  }
}
