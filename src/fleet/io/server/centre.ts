/**
 * The process of a centre: uploads what people have published, and collects what hosts tell. Every request to servers may
 * fail for a while, also the first one, so nothing here ends the process: what has failed is tried again.
 */
import { DeliverPolicy, jetstream, type JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { setTimeout as sleep } from 'node:timers/promises';
import { printable } from '../../../../packages/base/printable.ts';
import { formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import type { Credential } from '../../core/credential.ts';
import type { Mark } from '../../core/told/mark.ts';
import { markSubject } from '../../core/subjects.ts';
import { causeOfNats, connectWith } from '../nats/connect.ts';
import { isStreamGone, natsCentre } from '../nats/nats-centre.ts';
import type { Leader } from '../rollout/leader.ts';
import { requestMilliseconds } from '../nats/last-message.ts';
import { ensureCollector, ensureStreams, replicasOf } from '../nats/streams.ts';
import { Said } from '../said.ts';
import type { CentreStore } from './centre-store.ts';
import { Collector, type Told } from './collector.ts';
import { Uploader } from './uploader.ts';

export interface CentreParts {
  readonly credential: Credential;
  readonly store: CentreStore;
  /** The directory with a file for each host. */
  readonly hosts: string;
  /** The controller, which opens one wave of a rollout after the other. */
  readonly leader: Leader;
  readonly log: { readonly info: (text: string) => void; readonly warn: (text: string) => void };
  readonly times?: CentreTimes;
}

export interface CentreTimes {
  /** The time until the files are read again. */
  readonly lookMilliseconds: number;
  /** The time after which all files are compared with what the servers have. */
  readonly compareMilliseconds: number;
  /** The time after which something that has failed is tried again. */
  readonly retryMilliseconds: number;
  /** The time in which a server must answer; twice that to connect. */
  readonly answerMilliseconds: number;
  /** The time after which events that were not acknowledged are delivered again. */
  readonly redeliverMilliseconds: number;
}

export const centreTimes: CentreTimes = {
  lookMilliseconds: 5_000,
  compareMilliseconds: 300_000,
  retryMilliseconds: 2_000,
  answerMilliseconds: requestMilliseconds,
  redeliverMilliseconds: 30_000,
};

/** Looks that fail one after another until another server is tried. */
const failuresMax = 3;
const batchMax = 500;
const waitMilliseconds = 1_000;
const nanoseconds = 1_000_000;

export class Centre {
  readonly #parts: CentreParts;
  readonly #times: CentreTimes;
  readonly #collector: Collector;
  readonly #uploader: Uploader;
  readonly #marks = new Map<string, Mark>();
  readonly #said = new Map<string, Said>();

  constructor(parts: CentreParts) {
    this.#parts = parts;
    this.#times = parts.times ?? centreTimes;
    this.#collector = new Collector(parts.credential.fleet, parts.store);
    this.#uploader = new Uploader(
      parts.hosts,
      (text) => this.#say('upload', text),
      this.#times.answerMilliseconds,
    );
  }

  /** Runs until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const connection = await this.#connect();
      if (connection !== undefined) await this.#serve(connection, signal);
      await pause(this.#times.retryMilliseconds, signal);
    }
  }

  async #connect(): Promise<NatsConnection | undefined> {
    const { credential, log } = this.#parts;
    try {
      const connection = await connectWith(credential, {
        reconnect: false,
        timeout: 2 * this.#times.answerMilliseconds,
      });
      log.info(`Connected to ${printable(connection.getServer())}`);
      return connection;
    } catch (error) {
      this.#say('connect', `Cannot connect to the servers of the fleet: ${reasonOf(error)}`);
      return undefined;
    }
  }

  /** Works with one connection until it ends, or until its server does not do what it is asked. */
  async #serve(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    const end = new AbortController();
    const stop = () => end.abort();
    signal.addEventListener('abort', stop);
    void connection.closed().then(stop);
    this.#uploader.forget();
    // Streams that new servers do not have yet are no problem. If this fails, the look tries it again and logs it.
    await this.#ensureStreams(connection).catch(() => undefined);
    const works = [
      this.#again('collect events', end.signal, () => this.#collectEvents(connection, end.signal)),
      this.#again('collect statuses', end.signal, () =>
        this.#collectStatuses(connection, end.signal),
      ),
      this.#again('lead the rollout', end.signal, () => this.#lead(connection, end.signal)),
      this.#look(connection, end.signal),
    ];
    // A look ends only with the connection, or when the server does not answer any more.
    await works.at(-1);
    stop();
    await connection.close();
    await Promise.all(works);
    signal.removeEventListener('abort', stop);
  }

  /** Does it again whenever it ends or fails. */
  async #again(what: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      try {
        await work();
      } catch (error) {
        if (!signal.aborted) this.#say(what, `Cannot ${what}: ${reasonOf(error)}`);
      }
      await pause(this.#times.retryMilliseconds, signal);
    }
  }

  async #look(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    let compareAt = 0;
    for (let failures = 0; !signal.aborted && failures < failuresMax;) {
      try {
        if (performance.now() >= compareAt) {
          await this.#ensureStreams(connection);
          this.#uploader.forget();
          compareAt = performance.now() + this.#times.compareMilliseconds;
          this.#note('store', this.#parts.store.prune(Date.now()));
        }
        const sent = await this.#uploader.upload(connection);
        if (sent > 0) this.#parts.log.info(`The servers have new files of ${sent} hosts`);
        await this.#sendMarks(connection);
        failures = 0;
      } catch (error) {
        failures += 1;
        compareAt = 0;
        if (!signal.aborted)
          this.#say('look', `The servers of the fleet do not answer: ${reasonOf(error)}`);
      }
      for (const note of this.#parts.store.takeNotes()) this.#parts.log.warn(note);
      await pause(this.#times.lookMilliseconds, signal);
    }
  }

  async #ensureStreams(connection: NatsConnection): Promise<void> {
    await ensureStreams(connection, replicasOf(this.#parts.credential.servers.length));
  }

  /** Follows the rollout, whatever becomes of uploads and events meanwhile. */
  async #lead(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const done = await this.#parts.leader.step(
        natsCentre(connection, this.#times.answerMilliseconds),
        Date.now(),
      );
      if (!signal.aborted) this.#note('rollout', done);
      if (!done.ok && isStreamGone(done.error)) await this.#ensureStreams(connection);
      await pause(this.#times.lookMilliseconds, signal);
    }
  }

  async #collectEvents(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    const name = await ensureCollector(connection, this.#times.redeliverMilliseconds);
    const consumer = await jetstream(connection).consumers.get('EVENTS', name);
    while (!signal.aborted) {
      const got = await consumer.fetch({ max_messages: batchMax, expires: waitMilliseconds });
      const messages: JsMsg[] = [];
      for await (const each of got) messages.push(each);
      if (messages.length === 0) continue;
      const marks = this.#collector.events(messages.map(toldBy));
      if (!marks.ok) throw new Error(formatProblem(marks.error));
      for (const [host, mark] of marks.value) this.#marks.set(host, mark);
      // Only now: what is acknowledged is gone from the servers.
      for (const each of messages) each.ack();
      await this.#sendMarks(connection);
    }
  }

  async #collectStatuses(connection: NatsConnection, signal: AbortSignal): Promise<void> {
    const consumer = await jetstream(connection).consumers.get('STATUS', {
      deliver_policy: DeliverPolicy.LastPerSubject,
    });
    let isLive = false;
    while (!signal.aborted) {
      const got = await consumer.fetch({ max_messages: batchMax, expires: waitMilliseconds });
      const told: Told[] = [];
      for await (const each of got) told.push(isLive ? toldNow(each) : toldBy(each));
      // From here on each came just now, whatever the clock of the server says.
      isLive ||= told.length < batchMax;
      const taken = this.#collector.statuses(told);
      if (!taken.ok) throw new Error(formatProblem(taken.error));
    }
  }

  /** Tells hosts up to which event all are stored. */
  async #sendMarks(connection: NatsConnection): Promise<void> {
    const client = jetstream(connection, { timeout: this.#times.answerMilliseconds });
    for (const [host, mark] of this.#marks) {
      await client.publish(markSubject(host), JSON.stringify(mark));
      if (this.#marks.get(host) === mark) this.#marks.delete(host);
    }
  }

  #note(what: string, done: Result<unknown, Problem>): void {
    if (done.ok) this.#said.get(what)?.clear();
    else this.#say(what, formatProblem(done.error));
  }

  #say(what: string, text: string): void {
    const said = this.#said.get(what) ?? new Said();
    this.#said.set(what, said);
    if (said.isNew(text)) this.#parts.log.warn(text);
  }
}

const toldNow = (message: JsMsg): Told => ({ ...toldBy(message), receivedAt: Date.now() });

const toldBy = (message: JsMsg): Told => ({
  host: message.subject.slice(message.subject.indexOf('.') + 1),
  text: message.string(),
  receivedAt: Math.min(Date.now(), Number(message.timestampNanos / BigInt(nanoseconds))),
});

const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  sleep(milliseconds, undefined, { signal }).catch(() => undefined);

const reasonOf = (error: unknown) => printable(causeOfNats(error).reason);
