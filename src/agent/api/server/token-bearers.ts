/**
 * Clients over TCP: strangers until they have sent the token.
 *
 * Any account of the host can connect, and nothing distinguishes one from another. So strangers take
 * no slots from clients with the token, and few from each other: if there are many, the oldest is
 * dropped for the newest, and each after a second. A client that sends its request at once has been
 * read by then, since nobody is dropped before its data has been read.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Admission, ConnectionIdentity } from './admission.ts';
import { afterPendingReads } from './connection.ts';

const bearersMax = 64;
const strangersMax = 128;
/** The number of strangers that may connect within one turn of the event loop, before any of them is read. */
const newStrangersMax = 1024;
/** The number of strangers above which each has one second. */
const crowd = 16;
const crowdMilliseconds = 1000;

export class TokenBearers implements Admission, Disposable {
  readonly #expected: Buffer;
  /** The time when each connected, the oldest first. */
  readonly #strangers = new Map<Socket, number>();
  readonly #bearers = new Set<Socket>();
  #timer: NodeJS.Timeout | undefined;
  #isTrimming = false;

  /** `token` is compared in constant time. */
  constructor(token: string) {
    this.#expected = digest(`Bearer ${token}`);
  }

  admit(socket: Socket): boolean {
    if (this.#strangers.size >= newStrangersMax) this.#dropOldest();
    this.#strangers.set(socket, performance.now());
    socket.once('close', () => {
      this.#strangers.delete(socket);
      this.#bearers.delete(socket);
    });
    this.#trim();
    if (this.#strangers.size > crowd) this.#watch();
    return true;
  }

  identify({ socket, headers }: IncomingMessage): ConnectionIdentity {
    const given = digest(headers.authorization ?? '');
    if (!timingSafeEqual(given, this.#expected)) return 'nobody';
    if (this.#bearers.size >= bearersMax) return 'too many';
    this.#strangers.delete(socket);
    this.#bearers.add(socket);
    return { kind: 'token' };
  }

  #trim(): void {
    if (this.#isTrimming || this.#strangers.size <= strangersMax) return;
    this.#isTrimming = true;
    afterPendingReads(() => {
      this.#isTrimming = false;
      while (this.#strangers.size > strangersMax) this.#dropOldest();
    });
  }

  #dropOldest(): void {
    const [oldest] = this.#strangers.keys();
    if (oldest !== undefined) this.#drop(oldest);
  }

  #drop(socket: Socket): void {
    this.#strangers.delete(socket);
    socket.destroy();
  }

  #watch(): void {
    this.#timer ??= setTimeout(() => afterPendingReads(() => this.#dropSlow()), crowdMilliseconds);
  }

  #dropSlow(): void {
    this.#timer = undefined;
    if (this.#strangers.size <= crowd) return;
    const late = performance.now() - crowdMilliseconds;
    for (const [socket, since] of this.#strangers) {
      if (since > late) break;
      this.#drop(socket);
    }
    if (this.#strangers.size > crowd) this.#watch();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest();
