/**
 * A client for operations that must not be interleaved with others: a call waits for its reply, like a file read.
 *
 * It has no signals: it skips all messages that nobody awaits.
 */
import { closeSync, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, errnoCause } from '../../../packages/base/io/errno.ts';
import { connectStream } from '../sockets/sockets.ts';
import { poll } from '../syscalls.ts';
import { afterAnswer, begin, firstLine } from './authentication.ts';
import {
  callFailed,
  daemon,
  defaultTimeoutMs,
  replyOf,
  systemBusSocket,
  type BusCall,
  type BusReply,
} from './call.ts';
import { writeCall, type Message } from './message.ts';
import { MessageStream } from './message-stream.ts';

const POLLIN = 1;
const POLLOUT = 4;
const chunkBytes = 64 * 1024;
/** A signal has ended the wait early. */
const interrupted = -constants.errno.EINTR;
const tooLate: Cause = { reason: 'no reply came in time' };

/** Opens the bus. The error describes what is at `path` instead of a bus. */
export function openBus(path = systemBusSocket): Result<BlockingBus, Problem> {
  const cannot = (cause: Cause) =>
    failed({ ...cause, action: 'connect to the message bus at', object: path });
  const opened = connectStream(path);
  if ('error' in opened) return cannot(errnoCause(opened.error));
  const bus = new BlockingBus(opened.fd);
  const greeted = bus.greet();
  if (greeted.ok) return ok(bus);
  bus[Symbol.dispose]();
  return cannot(greeted.error);
}

export class BlockingBus implements Disposable {
  readonly #fd: number;
  readonly #stream = new MessageStream();
  readonly #chunk = Buffer.allocUnsafe(chunkBytes);
  #serial = 0;
  /** The reason why the next message can no longer be found. */
  #broken: Cause | undefined;
  #closed = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Authenticates; must be called first. */
  greet(): Result<undefined, Cause> {
    const until = performance.now() + defaultTimeoutMs;
    const said = this.#write(Buffer.from(firstLine(process.geteuid?.() ?? 0)), until);
    if (!said.ok) return said;
    for (let answer = Buffer.alloc(0); ;) {
      const chunk = this.#read(until);
      if (!chunk.ok) return chunk;
      answer = Buffer.concat([answer, chunk.value]);
      const rest = afterAnswer(answer);
      if (!rest.ok) return rest;
      if (rest.value !== undefined) break;
    }
    const begun = this.#write(Buffer.from(begin), until);
    if (!begun.ok) return begun;
    const hello = this.call({ ...daemon, member: 'Hello', returns: 's' });
    return hello.ok ? ok(undefined) : fail({ reason: hello.error.reason });
  }

  call(call: BusCall): BusReply {
    if (this.#broken !== undefined) return callFailed(call, this.#broken);
    const until = performance.now() + (call.timeoutMs ?? defaultTimeoutMs);
    const serial = ++this.#serial;
    const bytes = writeCall({ ...call, serial });
    if (!bytes.ok) return callFailed(call, bytes.error);
    const sent = this.#write(bytes.value, until);
    if (!sent.ok) return this.#break(call, sent.error);
    for (;;) {
      const chunk = this.#read(until);
      if (!chunk.ok) return this.#break(call, chunk.error);
      const messages = this.#stream.push(chunk.value);
      if (!messages.ok) {
        return this.#break(call, {
          reason: `what it sent is not a message: ${messages.error.reason}`,
        });
      }
      const reply = messages.value.find((each) => answers(each, serial));
      if (reply !== undefined) return replyOf(call, reply);
    }
  }

  #break(call: BusCall, cause: Cause): BusReply {
    this.#broken = cause;
    return callFailed(call, cause);
  }

  #write(bytes: Buffer, until: number): Result<undefined, Cause> {
    for (let at = 0; at < bytes.length;) {
      if (!this.#ready(POLLOUT, until)) return fail(tooLate);
      const written = this.#try(() => writeSync(this.#fd, bytes, at));
      if (!written.ok) return written;
      at += written.value;
    }
    return ok(undefined);
  }

  #read(until: number): Result<Buffer, Cause> {
    if (!this.#ready(POLLIN, until)) return fail(tooLate);
    const length = this.#try(() => readSync(this.#fd, this.#chunk));
    if (!length.ok) return length;
    if (length.value === 0) return fail({ reason: 'it closed the connection' });
    return ok(Buffer.from(this.#chunk.subarray(0, length.value)));
  }

  #ready(events: number, until: number): boolean {
    for (;;) {
      const left = Math.ceil(until - performance.now());
      const ready = left > 0 ? poll(Int32Array.of(this.#fd, events), left) : 0;
      if (ready !== interrupted) return ready !== 0;
    }
  }

  #try(transfer: () => number): Result<number, Cause> {
    try {
      return ok(transfer());
    } catch (error) {
      return fail(causeOf(error));
    }
  }

  [Symbol.dispose](): void {
    if (!this.#closed) closeSync(this.#fd);
    this.#closed = true;
    this.#broken ??= { reason: 'the connection was closed' };
  }
}

const answers = ({ kind, replySerial }: Message, serial: number) =>
  replySerial === serial && (kind === 'return' || kind === 'error');
