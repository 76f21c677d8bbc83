/**
 * QEMU's control protocol (QMP): one JSON object a line.
 *
 *   ← {"QMP": {"version": …}}
 *   → {"execute": "query-status", "id": 1}
 *   ← {"return": {"status": "running", "running": true}, "id": 1}
 *   ← {"event": "SHUTDOWN", …}        (of no interest here)
 *
 * Protocol: https://www.qemu.org/docs/master/interop/qmp-spec.html
 */
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

interface Reply {
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

export class Monitor {
  readonly #to: Writable;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #lastId = 0;

  constructor(from: Readable, to: Writable) {
    this.#to = to;
    to.on('error', () => {}); // QEMU has exited; its exit is what gets reported.
    createInterface({ input: from }).on('line', (line) => this.#receive(line));
  }

  /** Sends a command and waits for its reply; the caller bounds the time. */
  async execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.#waiting.set(id, resolve);
    this.#to.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    const reply = await promise;
    if (reply.error === undefined) return reply.return;
    throw new Error(`QEMU refused "${command}": ${reply.error.desc}`);
  }

  #receive(line: string): void {
    const reply = JSON.parse(line) as Reply;
    if (reply.id === undefined) return;
    this.#waiting.get(reply.id)?.(reply);
    this.#waiting.delete(reply.id);
  }
}
