/**
 * One connection of the API: one request within a bounded time, its response, then it is closed.
 *
 * Keep-alive gains nothing on the local host, and a closed connection has nothing left to send. A
 * second request, or a body, is never read to its end.
 */
import type { Socket } from 'node:net';

const requestMilliseconds = 10_000;
/** The time limit from the request to the end of the response, however much the client sends or reads meanwhile. */
const answerMilliseconds = 120_000;

export class Connection {
  readonly #socket: Socket;
  #timer: NodeJS.Timeout;
  #hasAsked = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#late(), requestMilliseconds);
    socket.once('close', () => clearTimeout(this.#timer));
  }

  get hasAsked(): boolean {
    return this.#hasAsked;
  }

  /** Returns false for a second request. */
  ask(): boolean {
    if (this.#hasAsked) return false;
    this.#hasAsked = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.destroy(), answerMilliseconds);
    return true;
  }

  #late(): void {
    afterPendingReads(() => {
      if (!this.#hasAsked) this.#socket.destroy();
    });
  }
}

/**
 * Calls `then` after everything that has arrived by now has been read. Timers run before reads: after a delay of this
 * process, a request that seems late may only be unread.
 */
export function afterPendingReads(then: () => void): void {
  setImmediate(() => setImmediate(then));
}
