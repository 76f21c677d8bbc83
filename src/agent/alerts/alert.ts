/** One incident for one receiver; several rules may have asked for it. */
import { hash } from 'node:crypto';
import type { Result } from '../../../packages/base/result.ts';
import type { AlertRule } from '../../policy/settings.ts';
import type { Incident, Snapshot } from '../../usage/incident.ts';
import type { Alarm } from '../part.ts';
import type { AlertWho, AlertReceiver } from './receiver.ts';

export interface Alert {
  /** The keys by which each rule remembers when it was sent last. */
  readonly keys: string[];
  readonly who: AlertWho;
  /** The latest state of the incident; replaced while the message waits. */
  incident: Incident;
  /** Read when the message is written: a waiting message holds no snapshots. */
  evidence: () => readonly Snapshot[];
  readonly everyMilliseconds: number;
  /** The time when it was considered last: milliseconds since 1970. */
  at: number;
}

/** An alarm on its way to one receiver. */
export interface RaisedAlarm extends Alarm {
  /** The key of an alarm, which works like the keys of an alert. */
  readonly key: string;
  readonly everyMilliseconds: number;
  readonly at: number;
}

/** The alerts sent together. */
export interface Batch {
  readonly receiver: AlertReceiver;
  readonly alerts: readonly Alert[];
  readonly alarms: readonly RaisedAlarm[];
  /** Further remarks, one paragraph each. */
  readonly notices: readonly string[];
  /** The same for each attempt, so that a receiver can detect duplicates. */
  readonly id: string;
  /** Whether this is a test of whether messages arrive: nothing happened. */
  readonly test: boolean;
}

/** The reason why a message did not arrive; `permanent` if a retry would fail again. */
export interface DeliveryProblem {
  readonly reason: string;
  readonly permanent: boolean;
}

export type Delivery = Result<void, DeliveryProblem>;

/** Delivers a batch; successful once it has been delivered. Never throws. */
export type Deliver = (batch: Batch, signal: AbortSignal) => Promise<Delivery>;

/**
 * Returns the key of an alert, made from rule, member, limit and receiver. Only the parts of a rule count that define
 * what it is about, so that a policy with another `every` does not send everything again. The receiver is hashed: keys
 * are kept on disk, and URLs hold secrets.
 */
export const alertKey = (rule: AlertRule, incident: Incident, receiver: string): string =>
  `${ruleKey(rule, receiver)} ${incident.member} ${incident.limit}${incident.severity === 'observed' ? ' observed' : ''}`;

export const alarmKey = (rule: AlertRule, { about }: Alarm, receiver: string): string =>
  `${ruleKey(rule, receiver)} host ${about}`;

function ruleKey(rule: AlertRule, receiver: string): string {
  const about = `${rule.limits.join(',')} ${rule.severity} ${receiver}`;
  return hash('sha256', about).slice(0, 24);
}
