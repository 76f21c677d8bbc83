/**
 * A client of a message bus: method calls and their replies. Descriptors are not passed.
 *
 *     const bus = await connectBus();
 *     await bus.value.call({ ...manager, member: 'Reload', returns: '' })
 *
 * Any local account may send us signals of any size. The client skips them.
 * Source: D-Bus Specification.
 */
import { connect, type Socket } from 'node:net';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
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

export interface Bus extends Disposable {
  /** Calls a method. Calls beyond a bus's limit are sent once others have been answered, all in order. */
  readonly call: (call: BusCall) => Promise<BusReply>;
  /** Returns why the connection has ended; undefined while it is open. */
  readonly ended: () => Cause | undefined;
}

/**
 * The number of unanswered calls; a bus drops clients that have too many. Source: dbus-daemon(1),
 * max_replies_per_connection: 128.
 */
const inFlightMax = 64;
const queuedMax = 100_000;
const serialMax = 2 ** 32 - 1;

/** Connects to a bus. The error describes what is at `path` instead of a bus. */
export async function connectBus(path = systemBusSocket): Promise<Result<Bus, Problem>> {
  const connection = new Connection(path);
  const hello = await connection.call({ ...daemon, member: 'Hello', returns: 's' });
  if (hello.ok) return ok(connection);
  connection[Symbol.dispose]();
  const cause = connection.ended() ?? hello.error;
  return failed({ ...cause, action: 'connect to the message bus at', object: path });
}

interface Waiting {
  readonly call: BusCall;
  readonly answer: (reply: BusReply) => void;
}

interface Sent extends Waiting {
  readonly timer: NodeJS.Timeout;
}

class Connection implements Bus {
  readonly #socket: Socket;
  readonly #stream = new MessageStream();
  readonly #queue: Waiting[] = [];
  readonly #sent = new Map<number, Sent>();
  readonly #greetingTimer: NodeJS.Timeout;
  #greeting: Buffer | undefined = Buffer.alloc(0);
  #serial = 0;
  #ended: Cause | undefined;

  constructor(path: string) {
    this.#socket = connect(path);
    this.#socket.on('error', (error) => this.#end(causeOf(error)));
    this.#socket.on('close', () => this.#end({ reason: 'it closed the connection' }));
    this.#socket.on('data', (chunk: Buffer) => this.#received(chunk));
    const silent = { reason: `it did not answer within ${defaultTimeoutMs / 1000} s` };
    this.#greetingTimer = setTimeout(() => this.#end(silent), defaultTimeoutMs);
    this.#socket.write(firstLine(process.geteuid?.() ?? 0));
  }

  ended(): Cause | undefined {
    return this.#ended;
  }

  [Symbol.dispose](): void {
    this.#end({ reason: 'the connection was closed' });
  }

  call(call: BusCall): Promise<BusReply> {
    return new Promise((resolve) => {
      if (this.#ended !== undefined) return resolve(callFailed(call, this.#ended));
      if (this.#queue.length >= queuedMax) {
        return resolve(callFailed(call, { reason: `${queuedMax} calls are waiting already` }));
      }
      this.#queue.push({ call, answer: resolve });
      this.#sendQueued();
    });
  }

  #sendQueued(): void {
    if (this.#greeting !== undefined || this.#ended !== undefined) return;
    while (this.#sent.size < inFlightMax) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#send(next);
    }
  }

  #send({ call, answer }: Waiting): void {
    this.#serial = this.#serial === serialMax ? 1 : this.#serial + 1;
    const bytes = writeCall({ ...call, serial: this.#serial });
    if (!bytes.ok) return answer(callFailed(call, bytes.error));
    const { timeoutMs = defaultTimeoutMs } = call;
    const late = { reason: `no reply came within ${timeoutMs / 1000} s` };
    // Its serial stays taken until the reply comes: the bus still counts the call.
    const timer = setTimeout(() => answer(callFailed(call, late)), timeoutMs);
    this.#sent.set(this.#serial, { call, answer, timer });
    this.#socket.write(bytes.value);
  }

  #received(chunk: Buffer): void {
    const bytes = this.#greeting === undefined ? chunk : this.#greet(chunk);
    if (bytes === undefined || bytes.length === 0) return;
    const messages = this.#stream.push(bytes);
    if (!messages.ok)
      return this.#end({ reason: `what it sent is not a message: ${messages.error.reason}` });
    for (const message of messages.value) this.#take(message);
    this.#sendQueued();
  }

  /** Returns the bytes after the greeting, once it is over. */
  #greet(chunk: Buffer): Buffer | undefined {
    const all = Buffer.concat([this.#greeting ?? chunk, chunk]);
    const rest = afterAnswer(all);
    if (!rest.ok) {
      this.#end(rest.error);
      return undefined;
    }
    this.#greeting = rest.value === undefined ? all : undefined;
    if (rest.value === undefined) return undefined;
    clearTimeout(this.#greetingTimer);
    this.#socket.write(begin);
    this.#sendQueued();
    return rest.value;
  }

  #take(message: Message): void {
    const serial = message.replySerial ?? 0;
    const sent = this.#sent.get(serial);
    // Calls to us are not answered: we offer nothing, and their sender decides how long it waits.
    if (sent === undefined || message.kind === 'call' || message.kind === 'signal') return;
    this.#sent.delete(serial);
    clearTimeout(sent.timer);
    sent.answer(replyOf(sent.call, message));
  }

  #end(cause: Cause): void {
    if (this.#ended !== undefined) return;
    this.#ended = cause;
    clearTimeout(this.#greetingTimer);
    this.#socket.destroy();
    for (const { timer } of this.#sent.values()) clearTimeout(timer);
    for (const { call, answer } of [...this.#sent.values(), ...this.#queue.splice(0)]) {
      answer(callFailed(call, cause));
    }
    this.#sent.clear();
  }
}
