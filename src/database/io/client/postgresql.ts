/** The client protocol of PostgreSQL: how a connection begins, and how statements are asked. */
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import type { DatabaseFailure } from '../../core/protocol/failure.ts';
import {
  readStartupStep,
  scramMechanism,
  startupOf,
  type StartupStep,
} from '../../core/protocol/postgresql/login.ts';
import {
  messageOf,
  Messages,
  textOf,
  type Message,
} from '../../core/protocol/postgresql/messages.ts';
import { StatementReply } from '../../core/protocol/postgresql/statement-reply.ts';
import type { Rows } from '../../core/protocol/reply.ts';
import { Channel } from './channel.ts';
import type { Login, Protocol } from './protocol.ts';
import { md5Proof, Scram } from './scram.ts';

export class PostgresqlProtocol implements Protocol {
  readonly name = 'postgresql';
  version = '';
  readonly #messages = new Messages();
  readonly #channel: Channel<Message>;

  constructor(fd: number, timeoutMilliseconds: number) {
    this.#channel = new Channel(fd, timeoutMilliseconds, (chunk) => this.#messages.push(chunk));
  }

  get ended(): DatabaseFailure | undefined {
    return this.#channel.ended;
  }

  end(failure: DatabaseFailure): void {
    this.#channel.end(failure);
  }

  async login(login: Login): Promise<Result<void, DatabaseFailure>> {
    const deadline = this.#channel.deadline();
    const proof = new Proof(login);
    this.#channel.send(startupOf(login.user));
    for (;;) {
      const message = await this.#channel.next(deadline);
      if (!message.ok) return message;
      const step = readStartupStep(message.value);
      if (!step.ok) return step;
      if (step.value.kind === 'ready') return ok(undefined);
      if (step.value.kind === 'version') this.version = `PostgreSQL ${step.value.version}`;
      const answer = proof.answer(step.value);
      if (!answer.ok) return answer;
      if (answer.value !== undefined) this.#channel.send(messageOf('p', answer.value));
    }
  }

  async ask(sql: string): Promise<Result<Rows, DatabaseFailure>> {
    const channel = this.#channel;
    // A server may say something at any time, such as that it stops. It is read with the next reply.
    if (channel.ended !== undefined) return fail(channel.ended);
    this.#messages.begin();
    channel.send(messageOf('Q', textOf(sql)));
    const deadline = channel.deadline();
    const reply = new StatementReply();
    for (;;) {
      const message = await channel.next(deadline);
      if (!message.ok) return message;
      const rows = reply.take(message.value);
      if (!rows.ok && rows.error.code === undefined) channel.end(rows.error);
      if (!rows.ok) return rows;
      if (rows.value === undefined) continue;
      // The rest of another reply would be taken for the reply to the next statement.
      if (channel.waiting > 0) channel.end({ reason: 'the server sent more than a reply' });
      return ok(rows.value);
    }
  }
}

/** Answers what the server asks about a password. */
class Proof {
  readonly #login: Login;
  #scram: Scram | undefined;

  constructor(login: Login) {
    this.#login = login;
  }

  answer(step: StartupStep): Result<Uint8Array | undefined, DatabaseFailure> {
    const { user, password } = this.#login;
    if (step.kind === 'md5')
      return password === undefined
        ? noPassword(user)
        : ok(textOf(md5Proof(user, password, step.salt)));
    if (step.kind === 'scram') {
      if (password === undefined || this.#scram !== undefined) return noPassword(user);
      this.#scram = new Scram(password);
      const first = new TextEncoder().encode(this.#scram.first);
      const length = new DataView(new ArrayBuffer(4));
      length.setInt32(0, first.length);
      return ok(
        new Uint8Array([...textOf(scramMechanism), ...new Uint8Array(length.buffer), ...first]),
      );
    }
    if (step.kind === 'scram continue') {
      const text = this.#scram?.answer(step.text);
      return text === undefined ? notProven() : ok(new TextEncoder().encode(text));
    }
    if (step.kind === 'scram final')
      return this.#scram?.accepts(step.text) === true ? ok(undefined) : notProven();
    return ok(undefined);
  }
}

const noPassword = (user: string) =>
  fail({
    reason: `the server asks for a password of "${user}", and does not know it by its process`,
    hint: `add the line "local all ${user} peer" at the top of pg_hba.conf, or name a file with its password`,
  });

const notProven = () => fail({ reason: 'the server does not prove that it knows the password' });
