/**
 * Messages waiting to be sent: batched by receiver, sent a few at a time, retried for a while.
 *
 * Invariants: at most `waitingMax` alerts wait, including those being sent and those to be retried;
 * at most `concurrentMax` messages are being sent, each for at most `sendMilliseconds`, whatever the
 * other side does; closing takes at most `closeMilliseconds`. Time is monotonic.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatProblem } from '../../../packages/base/problem.ts';
import { fail } from '../../../packages/base/result.ts';
import { formatDuration } from '../../../packages/base/duration.ts';
import type { Alert, Batch, Deliver, Delivery, RaisedAlarm } from './alert.ts';
import { formatReceiver, receiverKey, type AlertReceiver } from './receiver.ts';
import { count } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';

export const waitingMax = 500;
/** The maximum number of waiting alarms for one receiver. There are few things that they are about. */
const alarmsMax = 50;
const concurrentMax = 4;

export interface OutboxTiming {
  /** Alerts for one receiver within this time are sent as one message. */
  readonly gatherMilliseconds: number;
  /** Pauses before the second attempt, the third, and so on; after the last one it gives up. */
  readonly retryMilliseconds: readonly number[];
  readonly sendMilliseconds: number;
  readonly closeMilliseconds: number;
}

export const defaultTiming: OutboxTiming = {
  gatherMilliseconds: 30_000,
  retryMilliseconds: [30_000, 120_000, 600_000, 1_800_000, 3_600_000],
  sendMilliseconds: 30_000,
  closeMilliseconds: 5_000,
};

interface OutboxOptions {
  readonly deliver: Deliver;
  readonly timing: OutboxTiming;
  readonly log: (line: string) => void;
  /** Called once for each alert: it was delivered or given up. */
  readonly settled: (alert: Alert, delivered: boolean) => void;
  /** Called in the same way for an alarm. */
  readonly settledAlarm: (alarm: RaisedAlarm, delivered: boolean) => void;
}

/** A message that collects alerts until it is sent. */
interface Waiting {
  readonly receiver: AlertReceiver;
  readonly alerts: Alert[];
  readonly alarms: RaisedAlarm[];
  readonly notices: string[];
  id: string;
  /** The number of failed attempts. */
  failed: number;
  timer: NodeJS.Timeout | undefined;
}

export class Outbox implements AsyncDisposable {
  readonly #options: OutboxOptions;
  /** Messages by receiver that are being collected or wait for a retry. */
  readonly #waiting = new Map<string, Waiting>();
  /** Messages to send as soon as another one is done. */
  readonly #ready: Waiting[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  /** Receivers that fail at present, each of which is logged once. */
  readonly #failing = new Set<AlertReceiver['by']>();
  #closed = false;
  #size = 0;
  #lost = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Alerts that are neither delivered nor given up. */
  get size(): number {
    return this.#size;
  }

  /** Finds the message for this receiver that can still take alerts. */
  find(receiver: AlertReceiver, { incident }: Pick<Alert, 'incident'>): Alert | undefined {
    return this.#waiting
      .get(receiverKey(receiver))
      ?.alerts.find(
        (each) =>
          each.incident.member === incident.member && each.incident.limit === incident.limit,
      );
  }

  /** Returns false if the queue is full. */
  add(receiver: AlertReceiver, alert: Alert): boolean {
    if (this.#closed || this.#size >= waitingMax) return false;
    this.#size++;
    this.#open(receiver).alerts.push(alert);
    return true;
  }

  /** Returns false if too many wait, or another rule has asked for the same. */
  raise(receiver: AlertReceiver, alarm: RaisedAlarm): boolean {
    if (this.#closed) return false;
    const { alarms } = this.#open(receiver);
    if (alarms.length >= alarmsMax || alarms.some(({ about }) => about === alarm.about))
      return false;
    alarms.push(alarm);
    return true;
  }

  /** Adds a remark; at most a few per receiver. */
  notice(receiver: AlertReceiver, text: string): void {
    if (this.#closed) return;
    const { notices } = this.#open(receiver);
    if (notices.length < 10) notices.push(text);
  }

  #open(receiver: AlertReceiver): Waiting {
    const key = receiverKey(receiver);
    const known = this.#waiting.get(key);
    if (known !== undefined) {
      // The earlier attempts were for another message.
      if (known.failed > 0) known.id = newId();
      return known;
    }
    const made: Waiting = {
      receiver,
      alerts: [],
      alarms: [],
      notices: [],
      id: newId(),
      failed: 0,
      timer: undefined,
    };
    this.#wait(made, this.#options.timing.gatherMilliseconds);
    return made;
  }

  #wait(waiting: Waiting, milliseconds: number): void {
    const key = receiverKey(waiting.receiver);
    this.#waiting.set(key, waiting);
    waiting.timer = setTimeout(() => {
      this.#waiting.delete(key);
      this.#ready.push(waiting);
      this.#send();
    }, milliseconds).unref();
  }

  #send(): void {
    while (this.#underWay.size < concurrentMax) {
      const next = this.#ready.shift();
      if (next === undefined) return;
      const attempt = this.#attempt(next).then((delivery) => {
        this.#underWay.delete(attempt);
        this.#settle(next, delivery);
        this.#send();
      });
      this.#underWay.add(attempt);
    }
  }

  async #attempt(waiting: Waiting): Promise<Delivery> {
    const { receiver, alerts, alarms, notices, id } = waiting;
    const batch: Batch = { receiver, alerts, alarms, notices, id, test: false };
    const { deliver, timing } = this.#options;
    const timeout = AbortSignal.timeout(timing.sendMilliseconds);
    return deliverWithin(deliver, batch, AbortSignal.any([timeout, this.#closing.signal]));
  }

  #settle(waiting: Waiting, delivery: Delivery): void {
    const { receiver } = waiting;
    if (delivery.ok) {
      this.#failing.delete(receiver.by);
      this.#forget(waiting, true);
      return;
    }
    const pause = this.#options.timing.retryMilliseconds[waiting.failed];
    waiting.failed++;
    const { reason, permanent } = delivery.error;
    if (this.#closed) this.#lose(waiting);
    else if (permanent || pause === undefined) this.#giveUp(waiting, reason);
    else this.#tryAgain(waiting, pause, reason);
  }

  #tryAgain(waiting: Waiting, pause: number, reason: string): void {
    const { receiver } = waiting;
    if (!this.#failing.has(receiver.by)) {
      this.#failing.add(receiver.by);
      this.#options.log(notSent(receiver, reason, `retrying in ${formatDuration(pause)}`));
    }
    const since = this.#waiting.get(receiverKey(receiver));
    if (since !== undefined) {
      // Collected meanwhile: they are sent together.
      clearTimeout(since.timer);
      waiting.alerts.push(...since.alerts);
      waiting.alarms.push(...since.alarms);
      waiting.notices.push(...since.notices);
      waiting.id = newId();
    }
    this.#wait(waiting, pause);
  }

  #giveUp(waiting: Waiting, reason: string): void {
    const { receiver, failed } = waiting;
    this.#options.log(notSent(receiver, reason, `given up after ${count(failed, 'attempt')}`));
    this.#forget(waiting, false);
  }

  #lose(waiting: Waiting): void {
    this.#lost += waiting.alerts.length + waiting.alarms.length;
    this.#forget(waiting, false);
  }

  #forget({ alerts, alarms }: Waiting, delivered: boolean): void {
    this.#size -= alerts.length;
    for (const alert of alerts) this.#options.settled(alert, delivered);
    for (const alarm of alarms) this.#options.settledAlarm(alarm, delivered);
  }

  /** Sends waiting messages once, as far as the time allows. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      this.#ready.push(waiting);
    }
    this.#waiting.clear();
    this.#send();
    const { closeMilliseconds } = this.#options.timing;
    await this.#idle(closeMilliseconds * 0.8);
    for (const waiting of this.#ready.splice(0)) this.#lose(waiting);
    this.#closing.abort();
    await this.#idle(closeMilliseconds * 0.2);
    if (this.#lost === 0) return;
    this.#options.log(
      `${this.#lost} alerts were not sent: Bulkhead is stopping and the receivers did not accept them in time`,
    );
  }

  async #idle(milliseconds: number): Promise<void> {
    const stop = new AbortController();
    const late = sleep(milliseconds, undefined, { signal: stop.signal }).catch(() => undefined);
    await Promise.race([late, this.#done()]);
    stop.abort();
  }

  async #done(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }
}

/** Ends with the signal even if the delivery does not; an exception counts as a failure. */
export async function deliverWithin(
  deliver: Deliver,
  batch: Batch,
  signal: AbortSignal,
): Promise<Delivery> {
  const { promise: late, resolve } = Promise.withResolvers<Delivery>();
  const onAbort = () => resolve(fail({ reason: 'it took too long', permanent: false }));
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    // A delivery that obeys the signal gives a better reason.
    const heeded = late.then((delivery) => sleep(100, delivery, { ref: false }));
    return await Promise.race([deliver(batch, signal), heeded]);
  } catch (error) {
    return fail({ reason: String(error), permanent: true });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

export const newId = () => randomUUID().replaceAll('-', '');

const notSent = (receiver: AlertReceiver, reason: string, hint: string) =>
  formatProblem({
    action: `send an alert by ${receiver.by} to`,
    object: formatReceiver(receiver),
    reason: printable(reason.slice(0, 400)),
    hint,
  });
