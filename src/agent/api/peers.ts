/**
 * Who is at the other end of the unix socket, as the kernel says. Each uid has so many connections,
 * and some are kept for root: a tenant that opens what it can get never keeps root out.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { peerUid } from '../../sys/sockets/sockets.ts';
import type { Admission, Identity } from './admission.ts';

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
    if (uid === undefined || !this.#hasRoom(uid)) return false;
    this.#open++;
    this.#connections.set(uid, (this.#connections.get(uid) ?? 0) + 1);
    this.#uids.set(socket, uid);
    socket.once('close', () => this.#leave(uid));
    return true;
  }

  identify({ socket }: IncomingMessage): Identity {
    const uid = this.#uids.get(socket);
    return uid === undefined ? 'nobody' : { kind: 'uid', uid };
  }

  #hasRoom(uid: number): boolean {
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
