/** A stream to a server, from which messages are taken one by one, each until a deadline. */
import { Socket } from 'node:net';
import type { Cause } from '../../../../packages/base/problem.ts';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import type { DatabaseFailure } from '../../core/protocol/failure.ts';

/** Cuts received bytes into messages. An error ends the stream. */
export type Cut<Message> = (chunk: Uint8Array) => Result<readonly Message[], Cause>;

export class Channel<Message> {
  readonly #socket: Socket;
  readonly #timeoutMilliseconds: number;
  #waiting: Message[] = [];
  #wake: (() => void) | undefined;
  #ended: DatabaseFailure | undefined;

  constructor(fd: number, timeoutMilliseconds: number, cut: Cut<Message>) {
    this.#timeoutMilliseconds = timeoutMilliseconds;
    this.#socket = new Socket({ fd });
    this.#socket.on('data', (chunk: Buffer) => this.#received(cut(chunk)));
    this.#socket.on('error', (error) => this.end(causeOf(error)));
    this.#socket.on('close', () => this.end({ reason: 'the server closed the connection' }));
  }

  /** Why nothing can be sent any more; undefined while it can. */
  get ended(): DatabaseFailure | undefined {
    return this.#ended;
  }

  /** The number of messages that nobody has taken yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Returns the time by which a reply to what is sent now must be complete. */
  deadline(): number {
    return performance.now() + this.#timeoutMilliseconds;
  }

  send(bytes: Uint8Array): void {
    if (this.#ended === undefined) this.#socket.write(bytes);
  }

  async next(deadline: number): Promise<Result<Message, DatabaseFailure>> {
    for (;;) {
      const message = this.#waiting.shift();
      if (message !== undefined) return ok(message);
      if (this.#ended !== undefined) return fail(this.#ended);
      await this.#news(deadline);
    }
  }

  end(failure: DatabaseFailure): void {
    if (this.#ended !== undefined) return;
    this.#ended = failure;
    this.#socket.destroy();
    this.#wake?.();
  }

  /** Waits until something has come, or has ended. */
  #news(deadline: number): Promise<void> {
    return new Promise((resolve) => {
      const left = Math.max(0, deadline - performance.now());
      const reason = `the server did not answer within ${this.#timeoutMilliseconds} ms`;
      const late = { reason, isLate: true } as const;
      const timer = setTimeout(() => this.end(late), left);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #received(messages: Result<readonly Message[], Cause>): void {
    if (!messages.ok)
      return this.end({ reason: `the server broke the protocol: ${messages.error.reason}` });
    this.#waiting.push(...messages.value);
    this.#wake?.();
  }
}
