/** The client protocol of MariaDB and MySQL: how a connection begins, and how statements are asked. */
import { createHash } from 'node:crypto';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import type { DatabaseFailure } from '../../core/protocol/failure.ts';
import {
  loginOf,
  nativePassword,
  readGreeting,
  readLoginStep,
  sha2Password,
  socketPlugins,
  type LoginStep,
} from '../../core/protocol/login.ts';
import { packetOf, Packets } from '../../core/protocol/packets.ts';
import { Reply, type Rows } from '../../core/protocol/reply.ts';
import { Channel } from './channel.ts';
import type { Login, Protocol } from './protocol.ts';

/** Switching between plugins more often than this is a loop. */
const loginStepsMax = 4;
const queryCommand = 3;

export class MysqlProtocol implements Protocol {
  readonly name = 'mysql';
  version = '';
  readonly #packets = new Packets();
  readonly #channel: Channel<Uint8Array>;

  constructor(fd: number, timeoutMilliseconds: number) {
    this.#channel = new Channel(fd, timeoutMilliseconds, (chunk) => this.#packets.push(chunk));
  }

  get ended(): DatabaseFailure | undefined {
    return this.#channel.ended;
  }

  end(failure: DatabaseFailure): void {
    this.#channel.end(failure);
  }

  async login({ user, password = '' }: Login): Promise<Result<void, DatabaseFailure>> {
    const deadline = this.#channel.deadline();
    const first = await this.#channel.next(deadline);
    if (!first.ok) return first;
    const greeting = readGreeting(first.value);
    if (!greeting.ok) return greeting;
    this.version = greeting.value.version;
    this.#send(loginOf(user, proofOf(password, greeting.value.challenge)));
    let plugin = '';
    for (let steps = 0; steps < loginStepsMax; steps += 1) {
      const packet = await this.#channel.next(deadline);
      if (!packet.ok) return packet;
      const step = readLoginStep(packet.value);
      if (!step.ok) return step;
      if (step.value.kind === 'accepted') return ok(undefined);
      // Nothing else than this plugin may ask for the password itself.
      if (step.value.kind === 'prove') plugin = step.value.plugin;
      if (step.value.kind === 'password' && plugin !== sha2Password)
        return fail(unsupported(plugin));
      const answer = answerOf(step.value, password);
      if (!answer.ok) return answer;
      if (answer.value !== undefined) this.#send(answer.value);
    }
    return fail({ reason: 'the server asks for a login again and again' });
  }

  async ask(sql: string): Promise<Result<Rows, DatabaseFailure>> {
    const channel = this.#channel;
    // The rest of another reply would be taken for the reply to this statement.
    if (channel.waiting > 0) channel.end({ reason: 'the server sent more than a reply' });
    if (channel.ended !== undefined) return fail(channel.ended);
    this.#packets.expect(0);
    this.#send(Buffer.concat([Buffer.of(queryCommand), Buffer.from(sql)]));
    const deadline = channel.deadline();
    const reply = new Reply();
    for (;;) {
      const packet = await channel.next(deadline);
      if (!packet.ok) return packet;
      const rows = reply.take(packet.value);
      if (!rows.ok && rows.error.code === undefined) channel.end(rows.error);
      if (!rows.ok) return rows;
      if (rows.value !== undefined) return ok(rows.value);
    }
  }

  #send(content: Uint8Array): void {
    if (this.#channel.ended !== undefined) return;
    this.#channel.send(packetOf(content, this.#packets.number));
    this.#packets.sent();
  }
}

/** Nobody can read along at a unix socket, so servers accept a password there as it is. */
function answerOf(
  step: Exclude<LoginStep, { readonly kind: 'accepted' }>,
  password: string,
): Result<Uint8Array | undefined, DatabaseFailure> {
  if (step.kind === 'proven') return ok(undefined);
  if (step.kind === 'password') return ok(Buffer.from(`${password}\0`));
  const { plugin, challenge } = step;
  if (socketPlugins.has(plugin)) return ok(new Uint8Array());
  if (plugin === nativePassword) return ok(proofOf(password, challenge));
  return plugin === sha2Password ? ok(sha2ProofOf(password, challenge)) : fail(unsupported(plugin));
}

const unsupported = (plugin: string): DatabaseFailure => ({
  reason: `the account's authentication plugin "${plugin}" is not supported`,
  hint: 'use an account with unix_socket, auth_socket, caching_sha2_password or mysql_native_password',
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

const sha256 = (...parts: readonly Uint8Array[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

/** Likewise for caching_sha2_password. Source: MySQL Reference Manual, "Caching SHA-2 Pluggable Authentication". */
export function sha2ProofOf(password: string, challenge: Uint8Array): Uint8Array {
  if (password === '') return new Uint8Array();
  const once = sha256(Buffer.from(password));
  const mask = sha256(sha256(once), challenge);
  return once.map((byte, index) => byte ^ (mask[index] ?? 0));
}
