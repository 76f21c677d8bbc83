/**
 * A connection to a database server of the MariaDB and MySQL kind over its unix socket: statements as text, one after
 * another. A server that hangs, or sends anything else than the protocol allows, ends the connection.
 */
import { createHash } from 'node:crypto';
import { Socket } from 'node:net';
import type { Errno, Problem } from '../../../../packages/base/problem.ts';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { connectStream, peerPid } from '../../../sys/sockets/sockets.ts';
import type { DatabaseFailure } from '../../core/protocol/failure.ts';
import {
  loginOf,
  nativePassword,
  readGreeting,
  readLoginStep,
  socketPlugins,
} from '../../core/protocol/login.ts';
import { packetOf, Packets } from '../../core/protocol/packets.ts';
import { Reply, type Rows } from '../../core/protocol/reply.ts';

/** The time limit of each reply. */
const replyMilliseconds = 1000;
/** The longest statement that is sent. */
const statementBytesMax = 2 ** 20;
/** Switching between plugins more often than this is a loop. */
const loginStepsMax = 4;
const queryCommand = 3;

/** A failure with what was tried. `code` is the server's own error number, if it answered with an error. */
export type DatabaseProblem = Problem & DatabaseFailure;

export interface DatabaseConnection {
  /** The version as the server states it. */
  readonly version: string;
  /** The pid of the process that listens at the socket, as the kernel knows it. */
  readonly pid: number | undefined;
  /** Whether statements can still be sent. */
  readonly isOpen: boolean;
  /** Runs a statement after those before it. Its reply has at most 10,000 rows and 16 MiB, and one second. */
  readonly query: (sql: string) => Promise<Result<Rows, DatabaseProblem>>;
  readonly close: () => void;
}

export interface Login {
  readonly user: string;
  /** Absent: the server takes the user from the process, or there is no password. */
  readonly password?: string;
}

export interface ConnectOptions {
  /** Another path of the same socket, such as the path of a descriptor. */
  readonly through?: string;
  readonly replyMilliseconds?: number;
}

/** Connects and logs in. `socket` is a path that only root and the server can have made. */
export async function connectDatabase(
  socket: string,
  login: Login,
  options: ConnectOptions = {},
): Promise<Result<DatabaseConnection, DatabaseProblem>> {
  const action = 'connect to the database server at';
  const opened = connectStream(options.through ?? socket);
  if ('error' in opened) return fail({ ...refused(opened.error), action, object: socket });
  const connection = new Connection(socket, opened.fd, options);
  const done = await connection.login(login);
  if (done.ok) return ok(connection);
  connection.close();
  return fail({ ...done.error, action, object: socket });
}

function refused(errno: Errno): DatabaseFailure & { readonly errno: Errno } {
  const reasons: Partial<Record<Errno, string>> = {
    ENOENT: 'there is no socket',
    ECONNREFUSED: 'no server listens there',
    EAGAIN: 'too many connections wait there already',
  };
  const hint = 'check whether the server runs';
  return { reason: reasons[errno] ?? `connecting fails with ${errno}`, errno, hint };
}

class Connection implements DatabaseConnection {
  readonly #path: string;
  readonly #socket: Socket;
  readonly #packets = new Packets();
  readonly #timeoutMilliseconds: number;
  readonly pid: number | undefined;
  version = '';
  #waiting: Uint8Array[] = [];
  #wake: (() => void) | undefined;
  #ended: DatabaseFailure | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string, fd: number, options: ConnectOptions) {
    this.#path = path;
    this.#timeoutMilliseconds = options.replyMilliseconds ?? replyMilliseconds;
    this.pid = peerPid(fd);
    this.#socket = new Socket({ fd });
    this.#socket.on('data', (chunk: Buffer) => this.#received(chunk));
    this.#socket.on('error', (error) => this.#end(causeOf(error)));
    this.#socket.on('close', () => this.#end({ reason: 'the server closed the connection' }));
  }

  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  close(): void {
    this.#end({ reason: 'the connection was closed' });
  }

  query(sql: string): Promise<Result<Rows, DatabaseProblem>> {
    const done = this.#last.then(async () => {
      const reply = await this.#ask(sql);
      return reply.ok
        ? reply
        : fail({ ...reply.error, action: 'ask the database server at', object: this.#path });
    });
    this.#last = done;
    return done;
  }

  async login({ user, password = '' }: Login): Promise<Result<void, DatabaseFailure>> {
    const deadline = this.#deadline();
    const first = await this.#packet(deadline);
    if (!first.ok) return first;
    const greeting = readGreeting(first.value);
    if (!greeting.ok) return greeting;
    this.version = greeting.value.version;
    this.#send(loginOf(user, proofOf(password, greeting.value.challenge)));
    for (let steps = 0; steps < loginStepsMax; steps += 1) {
      const packet = await this.#packet(deadline);
      if (!packet.ok) return packet;
      const step = readLoginStep(packet.value);
      if (!step.ok) return step;
      if (step.value.kind === 'accepted') return ok(undefined);
      const { plugin, challenge } = step.value;
      if (plugin !== nativePassword && !socketPlugins.has(plugin)) return fail(unsupported(plugin));
      this.#send(socketPlugins.has(plugin) ? new Uint8Array() : proofOf(password, challenge));
    }
    return fail({ reason: 'the server asks for a login again and again' });
  }

  async #ask(sql: string): Promise<Result<Rows, DatabaseFailure>> {
    const text = Buffer.from(sql);
    if (text.length > statementBytesMax) return fail({ reason: 'the statement is too long' });
    // The rest of another reply would be taken for the reply to this statement.
    if (this.#waiting.length > 0) this.#end({ reason: 'the server sent more than a reply' });
    if (this.#ended !== undefined) return fail(this.#ended);
    this.#packets.expect(0);
    this.#send(Buffer.concat([Buffer.of(queryCommand), text]));
    const deadline = this.#deadline();
    const reply = new Reply();
    for (;;) {
      const packet = await this.#packet(deadline);
      if (!packet.ok) return packet;
      const rows = reply.take(packet.value);
      if (!rows.ok && rows.error.code === undefined) this.#end(rows.error);
      if (!rows.ok) return rows;
      if (rows.value !== undefined) return ok(rows.value);
    }
  }

  #deadline(): number {
    return performance.now() + this.#timeoutMilliseconds;
  }

  #send(content: Uint8Array): void {
    if (this.#ended !== undefined) return;
    this.#socket.write(packetOf(content, this.#packets.number));
    this.#packets.sent();
  }

  async #packet(deadline: number): Promise<Result<Uint8Array, DatabaseFailure>> {
    for (;;) {
      const packet = this.#waiting.shift();
      if (packet !== undefined) return ok(packet);
      if (this.#ended !== undefined) return fail(this.#ended);
      await this.#news(deadline);
    }
  }

  /** Waits until something has come, or has ended. */
  #news(deadline: number): Promise<void> {
    return new Promise((resolve) => {
      const left = Math.max(0, deadline - performance.now());
      const reason = `the server did not answer within ${this.#timeoutMilliseconds} ms`;
      const late = { reason, isLate: true } as const;
      const timer = setTimeout(() => this.#end(late), left);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #received(chunk: Buffer): void {
    const packets = this.#packets.push(chunk);
    if (!packets.ok)
      return this.#end({ reason: `the server broke the protocol: ${packets.error.reason}` });
    this.#waiting.push(...packets.value);
    this.#wake?.();
  }

  #end(failure: DatabaseFailure): void {
    if (this.#ended !== undefined) return;
    this.#ended = failure;
    this.#socket.destroy();
    this.#wake?.();
  }
}

const unsupported = (plugin: string): DatabaseFailure => ({
  reason: `the account's authentication plugin "${plugin}" is not supported`,
  hint: 'use an account with unix_socket or mysql_native_password',
});

const sha1 = (...parts: readonly Uint8Array[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha1')).digest();

/** Proves a password without sending it. Source: MariaDB Server Documentation, "mysql_native_password". */
function proofOf(password: string, challenge: Uint8Array): Uint8Array {
  if (password === '') return new Uint8Array();
  const once = sha1(Buffer.from(password));
  const mask = sha1(challenge, sha1(once));
  return once.map((byte, index) => byte ^ (mask[index] ?? 0));
}
