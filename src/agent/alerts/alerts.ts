/**
 * Alerts people to incidents, by the rules of the policy: by mail or to a URL.
 *
 * `consider` is called in the agent's tick and only enqueues. The ledger records when each message was sent, after its
 * delivery: if an agent is killed before it has sent a message, the next one sends it, if the incident continues.
 *
 * Without rules nothing is loaded, queried or kept.
 */
import { hostname } from 'node:os';
import type { AlertRule, AlertSettings } from '../../policy/settings.ts';
import { quietMilliseconds } from '../../usage/incident-log.ts';
import type { IncidentKinds } from '../../usage/incident-kinds.ts';
import type { Incident, Snapshot } from '../../usage/incident.ts';
import type { Member } from '../../usage/member.ts';
import type { AlertsTestResponse } from '../api/api.ts';
import type { Alarm } from '../part.ts';
import {
  alarmKey,
  alertKey,
  type Alert,
  type Batch,
  type Deliver,
  type RaisedAlarm,
} from './alert.ts';
import { sendMail, type MailRoute } from './mail.ts';
import { alertMail, webhookBody, type MessageContext } from './message.ts';
import {
  deliverWithin,
  waitingMax,
  newId,
  Outbox,
  defaultTiming,
  type OutboxTiming,
} from './outbox.ts';
import {
  appliesTo,
  isForAlarms,
  formatReceiver,
  receiverKey,
  receiverOf,
  type AlertWho,
  type AlertReceiver,
} from './receiver.ts';
import { hostTimeZone } from './time-zone.ts';
import { post } from './webhook.ts';
import { printable } from '../../../packages/base/printable.ts';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';

/** Records across restarts when each message was sent. Milliseconds since 1970. */
export interface AlertLedger {
  readonly lastAlert: (key: string) => number | undefined;
  readonly recordAlert: (key: string, at: number) => Result<void, Problem>;
}

interface ConsideredIncident {
  readonly incident: Incident;
  /** Reads the evidence when the message is written: later, perhaps more than once, perhaps never. */
  readonly evidence: () => readonly Snapshot[];
}

export interface AlertsOptions {
  readonly settings: AlertSettings;
  readonly kinds: IncidentKinds;
  readonly ledger: AlertLedger;
  /** Returns the facts about a member; undefined for a former one. */
  readonly who: (member: Member) => AlertWho | undefined;
  /** Logs one line per failure. */
  readonly log: (line: string) => void;
  readonly sendmail?: string;
  readonly timing?: Partial<OutboxTiming>;
}

const hour = 3_600_000;
/** An alert that could not be sent is not considered again for this long. */
const pauseMilliseconds = hour;
/** Keys kept in memory; beyond that the oldest are read from the ledger again. */
const keysMax = 20_000;
const messagesMax = 1000;
const webhookMilliseconds = 10_000;
const testsAtOnce = 4;

export class Alerts implements AsyncDisposable {
  readonly #options: AlertsOptions;
  readonly #timing: OutboxTiming;
  readonly #outbox: Outbox;
  readonly #host = domainOf(hostname());
  /** The time when each key was last sent or enqueued. */
  readonly #last = new Map<string, number>();
  /** Waiting alerts, by each of their keys. */
  readonly #waiting = new Map<string, Alert>();
  readonly #reported = new Set<string>();
  readonly #happened = new Happened();
  #leftOut = 0;
  #context: MessageContext | undefined;

  constructor(options: AlertsOptions) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#outbox = new Outbox({
      deliver: this.#deliver,
      timing: this.#timing,
      log: options.log,
      settled: (alert, delivered) => this.#settled(alert, delivered),
      settledAlarm: (alarm, delivered) => this.#settledKey(alarm.key, alarm, delivered),
    });
  }

  /** Queues alerts for incidents that changed in this tick; `now` in milliseconds since 1970. Never waits. */
  consider(now: number, changed: readonly ConsideredIncident[]): void {
    const { rules } = this.#options.settings;
    if (rules.length === 0) return;
    for (const each of changed) {
      const applying = rules.filter((rule) => appliesTo(rule, each.incident));
      if (applying.length === 0) continue;
      const who = this.#options.who(each.incident.member);
      if (who === undefined) continue;
      for (const rule of applying) this.#considerOne(now, rule, who, each);
    }
  }

  #considerOne(now: number, rule: AlertRule, who: AlertWho, considered: ConsideredIncident): void {
    const receiver = receiverOf(rule, who);
    if (!receiver.ok) this.#printError(receiver.error);
    if (!receiver.ok || receiver.value === undefined) return;
    const { incident, evidence } = considered;
    const key = alertKey(rule, incident, receiverKey(receiver.value));
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      // It has not been sent yet: the newer state is sent instead.
      Object.assign(waiting, { incident, evidence: this.#safe(evidence) });
    } else if (!this.#isTooSoon(key, now, rule)) {
      this.#enqueue(now, key, rule, receiver.value, {
        keys: [key],
        who,
        incident,
        evidence: this.#safe(evidence),
        everyMilliseconds: rule.everyMilliseconds,
        at: now,
      });
    }
  }

  /** Queues messages about the host, at `now` in milliseconds since 1970. Never waits. */
  raise(now: number, alarms: readonly Alarm[]): void {
    for (const alarm of alarms) {
      const times = this.#happened.add(now, alarm);
      for (const rule of this.#options.settings.rules)
        if (isForAlarms(rule, times)) this.#raiseOne(now, rule, alarm);
    }
  }

  #raiseOne(now: number, rule: AlertRule, alarm: Alarm): void {
    const receiver = receiverOf(rule, placeholder);
    if (!receiver.ok) this.#printError(receiver.error);
    if (!receiver.ok || receiver.value === undefined) return;
    const key = alarmKey(rule, alarm, receiverKey(receiver.value));
    if (this.#isTooSoon(key, now, rule)) return;
    const { everyMilliseconds } = rule;
    const raised: RaisedAlarm = { ...alarm, key, everyMilliseconds, at: now };
    if (this.#outbox.raise(receiver.value, raised)) this.#remember(key, now);
  }

  /** Whether the rule's pause is not over. A clock that was set back must not suppress alerts for long. */
  #isTooSoon(key: string, now: number, { everyMilliseconds }: AlertRule): boolean {
    const last = this.#last.get(key) ?? this.#options.ledger.lastAlert(key);
    if (last === undefined) return false;
    this.#remember(key, last);
    return Math.abs(now - last) < everyMilliseconds;
  }

  #enqueue(now: number, key: string, rule: AlertRule, receiver: AlertReceiver, alert: Alert): void {
    // Another rule asked for the same message.
    const same = this.#outbox.find(receiver, alert);
    if (same === undefined && !this.#outbox.add(receiver, alert)) {
      this.#leaveOut(now, key, rule);
      return;
    }
    same?.keys.push(key);
    this.#waiting.set(key, same ?? alert);
    this.#remember(key, now);
  }

  #leaveOut(now: number, key: string, { everyMilliseconds }: AlertRule): void {
    this.#remember(key, mayGoAfterPause(now, everyMilliseconds));
    if (this.#leftOut++ > 0) return;
    setTimeout(() => this.#reportOmitted(), this.#timing.gatherMilliseconds).unref();
  }

  /** Reports dropped alerts to the administrator, through every rule for the administrator. */
  #reportOmitted(): void {
    const count = this.#leftOut;
    const what =
      count === 1
        ? 'One alert about another incident was'
        : `${count} alerts about other incidents were`;
    const text = `${what} dropped, because ${waitingMax} were already waiting to be sent. "bulkhead faults" lists all incidents.`;
    this.#leftOut = 0;
    this.#options.log(text);
    const receivers = new Map<string, AlertReceiver>();
    for (const rule of this.#options.settings.rules) {
      if (rule.to !== 'administrator') continue;
      const receiver = receiverOf(rule, placeholder);
      if (receiver.ok && receiver.value !== undefined)
        receivers.set(receiverKey(receiver.value), receiver.value);
    }
    for (const receiver of receivers.values()) this.#outbox.notice(receiver, text);
  }

  #settled(alert: Alert, delivered: boolean): void {
    for (const key of alert.keys) {
      this.#waiting.delete(key);
      this.#settledKey(key, alert, delivered);
    }
  }

  #settledKey(key: string, { at, everyMilliseconds }: SentAt, delivered: boolean): void {
    if (!delivered) {
      this.#remember(key, mayGoAfterPause(Date.now(), everyMilliseconds));
      return;
    }
    const recorded = this.#options.ledger.recordAlert(key, at);
    if (!recorded.ok) this.#printError(recorded.error);
  }

  #remember(key: string, at: number): void {
    this.#last.delete(key);
    this.#last.set(key, at);
    if (this.#last.size <= keysMax) return;
    const oldest = this.#last.keys().next();
    if (oldest.done !== true) this.#last.delete(oldest.value);
  }

  #printError(problem: Problem): void {
    const text = formatProblem(problem);
    if (this.#reported.has(text) || this.#reported.size >= messagesMax) return;
    this.#reported.add(text);
    this.#options.log(text);
  }

  /** Returns no evidence if it cannot be read: a message without evidence is better than no message. */
  #safe(evidence: () => readonly Snapshot[]): () => readonly Snapshot[] {
    return () => {
      try {
        return evidence();
      } catch (error) {
        const reason = printable(String(error));
        this.#printError({ action: 'read the evidence of an incident', reason });
        return [];
      }
    };
  }

  readonly #deliver: Deliver = (batch, signal) => {
    const { receiver, id } = batch;
    const context = this.#contextNow();
    if (receiver.by === 'webhook') {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(webhookMilliseconds)]);
      return post(receiver.address, webhookBody(batch, context), limited);
    }
    const { from = `bulkhead@${this.#host}`, smtp } = this.#options.settings;
    const route: MailRoute = { smtp, sendmail: this.#options.sendmail ?? '/usr/sbin/sendmail' };
    const mail = { ...alertMail(batch, context), from, to: receiver.address, id, host: this.#host };
    return sendMail(mail, route, signal);
  };

  #contextNow(): MessageContext {
    const { kinds } = this.#options;
    this.#context ??= { kinds, host: this.#host, timeZone: hostTimeZone() };
    return this.#context;
  }

  /**
   * Sends a test message through each rule. Rules for the mailbox of each tenant or reseller send to
   * root's instead.
   */
  async test(): Promise<AlertsTestResponse['results']> {
    const rules = [...this.#options.settings.rules.entries()];
    const results: AlertsTestResponse['results'][number][] = [];
    const next = async () => {
      for (let rule = rules.shift(); rule !== undefined; rule = rules.shift()) {
        results[rule[0]] = await this.#testOne(rule[1]);
      }
    };
    await Promise.all(Array.from({ length: testsAtOnce }, next));
    return results;
  }

  async #testOne(rule: AlertRule): Promise<AlertsTestResponse['results'][number]> {
    const found = receiverOf(rule, {
      ...placeholder,
      member: rule.to === 'reseller' ? 'r0' : 'u0',
    });
    const receiver = found.ok ? found.value : undefined;
    const way = `${rule.to} by ${rule.by}`;
    if (receiver === undefined) {
      return {
        to: way,
        ok: false,
        problem: found.ok ? 'it has no receiver' : formatProblem(found.error),
      };
    }
    const batch: Batch = { receiver, alerts: [], alarms: [], notices: [], id: newId(), test: true };
    const signal = AbortSignal.timeout(this.#timing.sendMilliseconds);
    const delivery = await deliverWithin(this.#deliver, batch, signal);
    const to = `${way}: ${formatReceiver(receiver)}`;
    return delivery.ok
      ? { to, ok: true }
      : { to, ok: false, problem: printable(delivery.error.reason) };
  }

  /** Sends waiting messages, for at most five seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#outbox[Symbol.asyncDispose]();
  }
}

type SentAt = Pick<Alert, 'at' | 'everyMilliseconds'>;

/** How often something has happened, as incidents count faults. A state that lasts needs no count. */
class Happened {
  readonly #tallies = new Map<string, { times: number; last: number }>();

  add(now: number, { about, count }: Alarm): number {
    if (count === undefined) return Infinity;
    const known = this.#tallies.get(about);
    const goesOn = known !== undefined && Math.abs(now - known.last) < quietMilliseconds;
    const times = (goesOn ? known.times : 0) + count;
    this.#tallies.set(about, { times, last: now });
    return times;
  }
}

/** The mailbox used for all local ones in a test. */
const placeholder: AlertWho = {
  member: 'u0',
  uid: 0,
  name: 'root',
  account: 'root',
  reseller: undefined,
  package: undefined,
};

/** Returns a time of sending that lets the alert be sent again after the pause. */
const mayGoAfterPause = (now: number, every: number) =>
  now - every + Math.min(every, pauseMilliseconds);

/** Returns the domain of our own addresses: the host's name, if a mail address may have it. */
export const domainOf = (name: string) =>
  /^[A-Za-z0-9][A-Za-z0-9.-]{0,251}$/.test(name) ? name : 'localhost';
