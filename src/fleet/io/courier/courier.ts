/**
 * Carries documents between a host's agent and the servers of its fleet: releases to the agent, and its status and events
 * to the centre. It decides nothing: the agent verifies what it gets, and signs what it tells.
 *
 * A hint is only a reason to look: what was missed is found by the next look, every five minutes, after each connection
 * and after each failure.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import { setTimeout as sleep } from 'node:timers/promises';
import { printable } from '../../../../packages/base/printable.ts';
import { formatProblem } from '../../../../packages/base/problem.ts';
import type { Credential } from '../../core/credential.ts';
import { parseMark } from '../../core/told/mark.ts';
import { parseSigned } from '../../core/told/signed.ts';
import { parseStatus } from '../../core/told/status.ts';
import {
  docHintSubject,
  docRequest,
  eventsSubject,
  markRequest,
  recordHintSubject,
  recordRequest,
  statusSubject,
} from '../../core/subjects.ts';
import { causeOfNats, connectWith } from '../nats/connect.ts';
import { lastMessage, requestMilliseconds } from '../nats/last-message.ts';
import { storeMessage } from '../nats/store-message.ts';
import { Said } from '../said.ts';
import type { AgentLink, CourierLog } from './agent-link.ts';
import { EventSender } from './event-sender.ts';
import { QuestionDesk } from './question-desk.ts';

export interface CourierTimes {
  readonly roundMilliseconds: number;
  readonly statusMilliseconds: number;
  /** The time until it asks for a release again; up to a fifth more by chance. */
  readonly lookMilliseconds: number;
  /** The time after which what the agent could not take is handed over again. */
  readonly retryMilliseconds: number;
  readonly resendMilliseconds: number;
  /** The time between two hints that are heeded: anybody in the fleet can make them. */
  readonly hintMilliseconds: number;
  /** The time to connect, and between two pings of a connection. */
  readonly connectMilliseconds: number;
  /** The time in which a server must answer. */
  readonly answerMilliseconds: number;
}

export const courierTimes: CourierTimes = {
  roundMilliseconds: 10_000,
  statusMilliseconds: 60_000,
  lookMilliseconds: 300_000,
  retryMilliseconds: 30_000,
  resendMilliseconds: 60_000,
  hintMilliseconds: 10_000,
  connectMilliseconds: 20_000,
  answerMilliseconds: requestMilliseconds,
};

/** Statuses without an answer after which another server is tried: this one may be cut off from the others. */
const unansweredMax = 2;
/** Messages of events that are sent in one round. */
const batchesMax = 20;
const hintJitterMilliseconds = 2_000;
const never = Number.NEGATIVE_INFINITY;

export class Courier {
  readonly #credential: Credential;
  readonly #agent: AgentLink;
  readonly #log: CourierLog;
  readonly #times: CourierTimes;
  readonly #events: EventSender;
  readonly #desk: QuestionDesk;
  readonly #said = new Said();
  #wake = new AbortController();
  #lookAt = never;
  #lookedAt = never;
  #handed: string | undefined;
  #record: string | undefined;
  #handAt = never;
  #statusAt = never;
  #shown = '';
  #unanswered = 0;

  constructor(
    credential: Credential,
    agent: AgentLink,
    log: CourierLog,
    times: CourierTimes = courierTimes,
  ) {
    this.#credential = credential;
    this.#agent = agent;
    this.#log = log;
    this.#times = times;
    this.#events = new EventSender(times.resendMilliseconds);
    this.#desk = new QuestionDesk(agent, (text) => this.#say(text));
  }

  /** Runs until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#wake.abort();
    signal.addEventListener('abort', stop);
    let servers = this.#credential.servers;
    while (!signal.aborted) {
      const connection = await this.#connect(servers);
      servers = this.#credential.servers;
      if (connection !== undefined) {
        const last = await this.#serve(connection, signal);
        // The client itself would go back to the same server.
        const others = servers.filter((each) => new URL(each).host !== last);
        if (others.length > 0) servers = others;
      }
      // A server that ends must not be followed by all of its hosts at once.
      const part = connection === undefined ? 0.5 + Math.random() : Math.random() / 5;
      if (!signal.aborted) await this.#pause(this.#times.roundMilliseconds * part);
    }
    signal.removeEventListener('abort', stop);
  }

  async #connect(servers: readonly string[]): Promise<NatsConnection | undefined> {
    const { connectMilliseconds } = this.#times;
    try {
      return await connectWith(this.#credential, {
        servers: [...servers],
        reconnect: false,
        timeout: connectMilliseconds,
        pingInterval: connectMilliseconds,
      });
    } catch (error) {
      this.#say(`Cannot connect to the servers of the fleet: ${reasonOf(error)}`);
      return undefined;
    }
  }

  /** Works with one connection until it ends, or until its server does not answer. Returns the server. */
  async #serve(connection: NatsConnection, signal: AbortSignal): Promise<string> {
    const server = connection.getServer();
    this.#log.info(`Connected to ${printable(server)}`);
    this.#unanswered = 0;
    this.#lookAt = never;
    this.#statusAt = never;
    connection.subscribe(docHintSubject(this.#credential.name), {
      callback: () => this.#hear(),
    });
    connection.subscribe(recordHintSubject, { callback: () => this.#hear() });
    this.#desk.open(connection, this.#credential.name);
    void connection.closed().then(() => this.#wake.abort());
    while (!signal.aborted && !connection.isClosed() && this.#unanswered < unansweredMax) {
      await this.#round(connection);
      if (this.#unanswered === 0 && !signal.aborted)
        await this.#pause(this.#times.roundMilliseconds);
    }
    if (this.#unanswered >= unansweredMax) this.#say(`${server} does not answer; it is left`);
    await connection.close();
    return server;
  }

  /** Heeds a hint: soon, but not together with all other hosts, and not again and again. */
  #hear(): void {
    const now = performance.now();
    const earliest = this.#lookedAt + this.#times.hintMilliseconds;
    const at = Math.max(earliest, now + Math.random() * hintJitterMilliseconds);
    if (at >= this.#lookAt) return;
    this.#lookAt = at;
    setTimeout(() => this.#wake.abort(), at - now).unref();
  }

  /** Waits, unless something has come since the last time. */
  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#wake.signal }).catch(() => undefined);
    this.#wake = new AbortController();
  }

  async #round(connection: NatsConnection): Promise<void> {
    try {
      if (performance.now() >= this.#lookAt) await this.#look(connection);
      if (this.#events.isWaiting) await this.#readMark(connection);
      await this.#tell(connection);
      this.#unanswered = 0;
    } catch (error) {
      this.#unanswered += 1;
      this.#lookAt = never;
      this.#say(`The servers of the fleet do not answer: ${reasonOf(error)}`);
    }
  }

  async #look(connection: NatsConnection): Promise<void> {
    this.#lookedAt = performance.now();
    const { name } = this.#credential;
    const { lookMilliseconds, retryMilliseconds } = this.#times;
    const bundle = await this.#last(connection, docRequest(name));
    await this.#handRecord(await this.#last(connection, recordRequest));
    await this.#readMark(connection);
    const isSame = bundle === this.#handed && performance.now() < this.#handAt;
    if (bundle !== undefined && !isSame) {
      const taken = await this.#handOver(bundle);
      const wait = taken ? lookMilliseconds * (1 + Math.random() / 5) : retryMilliseconds;
      this.#handed = bundle;
      this.#handAt = performance.now() + wait;
    }
    const next = performance.now() + lookMilliseconds;
    this.#lookAt = bundle === undefined ? next : Math.min(next, this.#handAt);
  }

  /** Hands a release to the agent. Returns whether it is useless to do that again soon. */
  async #handOver(bundle: string): Promise<boolean> {
    const taken = await this.#agent.release(bundle);
    if (taken.ok) return true;
    this.#say(formatProblem(taken.error));
    return taken.error.status === 422;
  }

  /** Hands the record of a rollout to the agent, once. It may open the wave of a release that had to wait. */
  async #handRecord(record: string | undefined): Promise<void> {
    if (record === undefined || record === this.#record) return;
    const taken = await this.#agent.record(record);
    if (!taken.ok) return this.#say(formatProblem(taken.error));
    this.#record = record;
    this.#handed = undefined;
  }

  async #readMark(connection: NatsConnection): Promise<void> {
    const text = await this.#last(connection, markRequest(this.#credential.name));
    const mark = text === undefined ? undefined : parseMark(text);
    this.#events.follow(mark?.ok === true ? mark.value : undefined);
  }

  /** Sends the status, if it is time or if it is another one, and the events that the centre does not have. */
  async #tell(connection: NatsConnection): Promise<void> {
    const { name } = this.#credential;
    for (let batch = 0; batch < batchesMax; batch++) {
      const { epoch, number } = this.#events.after;
      const outbox = await this.#agent.outbox(epoch, number);
      if (!outbox.ok) return this.#say(formatProblem(outbox.error));
      const { host, status, events } = outbox.value;
      if (host !== name)
        return this.#say(`This host is "${host}" in its fleet, and the credential is of "${name}"`);
      await this.#sendStatus(connection, status);
      if (events === undefined || !this.#events.mayForward(events)) return;
      await this.#store(connection, eventsSubject(name), events.signed);
      this.#events.sentUpTo(events.last);
    }
    // There is more.
    this.#wake.abort();
  }

  async #sendStatus(connection: NatsConnection, status: string): Promise<void> {
    const shown = shownIn(status);
    if (shown === this.#shown && performance.now() < this.#statusAt) return;
    await this.#store(connection, statusSubject(this.#credential.name), status);
    this.#shown = shown;
    this.#statusAt = performance.now() + this.#times.statusMilliseconds;
  }

  #last(connection: NatsConnection, request: string): Promise<string | undefined> {
    return lastMessage(connection, request, this.#times.answerMilliseconds);
  }

  #store(connection: NatsConnection, subject: string, text: string): Promise<void> {
    return storeMessage(connection, subject, text, this.#times.answerMilliseconds);
  }

  #say(text: string): void {
    if (this.#said.isNew(text)) this.#log.warn(text);
  }
}

/** Returns what people want to know at once. */
function shownIn(status: string): string {
  const signed = parseSigned(status);
  const parsed = signed.ok ? parseStatus(signed.value.document) : undefined;
  if (parsed?.ok !== true) return '';
  const { state, generation, newest, confirmed, why } = parsed.value;
  return JSON.stringify([state, generation, newest, confirmed, why]);
}

const reasonOf = (error: unknown) => printable(causeOfNats(error).reason);
