/**
 * Bounds the connections to the front. The kernel's word on who connects only shares them out: it gives no rights, since a
 * web server that passes requests on is everybody. No account can take so many that root finds none left.
 */
import type { Socket } from 'node:net';
import { peerUid } from '../../sys/sockets/sockets.ts';

const connectionsMax = 512;
const keptForRoot = 64;
const perUidMax = 320;

export class FrontConnections {
  readonly #open = new Map<Socket, number>();
  /** Called when the last connection has closed. */
  readonly #onEmpty: () => void;

  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty;
  }

  /** Whether root is at the other end. It gets the last places, and no other right. */
  isRoot(socket: Socket): boolean {
    return this.#open.get(socket) === 0;
  }

  /** Returns the account at the other end; undefined for a connection that is not on the unix socket. */
  uidOf(socket: Socket): number | undefined {
    return this.#open.get(socket);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Counts a connection until it closes; false if it may not be opened. */
  admit(socket: Socket): boolean {
    const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
    const uid = fd < 0 ? undefined : peerUid(fd);
    if (uid === undefined || !this.#hasRoomFor(uid)) return false;
    this.#open.set(socket, uid);
    socket.once('close', () => {
      this.#open.delete(socket);
      if (this.#open.size === 0) this.#onEmpty();
    });
    return true;
  }

  #hasRoomFor(uid: number): boolean {
    if (uid === 0) return this.#open.size < connectionsMax;
    const own = [...this.#open.values()].filter((each) => each === uid).length;
    return own < perUidMax && this.#open.size < connectionsMax - keptForRoot;
  }
}
