/** One incident that one receiver is told of; several rules may have asked for it. */
import { hash } from 'node:crypto';
import type { AlertRule } from '../../policy/settings.ts';
import type { Incident, Snapshot } from '../../usage/incident.ts';
import type { AlertWho, Receiver } from './receiver.ts';

export interface Alert {
  /** What keeps each of the rules from sending it again soon. */
  readonly keys: string[];
  readonly who: AlertWho;
  /** The newest that is known of it; replaced while the message waits. */
  incident: Incident;
  /** Read when the message is written: what waits holds no snapshots. */
  evidence: () => readonly Snapshot[];
  readonly everyMilliseconds: number;
  /** When it was considered last: milliseconds since 1970. */
  at: number;
}

/** What is sent at once. */
export interface Batch {
  readonly receiver: Receiver;
  readonly alerts: readonly Alert[];
  /** What is said besides, a paragraph each. */
  readonly notices: readonly string[];
  /** The same for each attempt, so that whoever gets it twice can tell. */
  readonly id: string;
  /** Nothing has happened; someone tries whether messages arrive. */
  readonly test: boolean;
}

/** Why it did not arrive; `permanent` where the same would happen again. */
export interface DeliveryProblem {
  readonly reason: string;
  readonly permanent: boolean;
}

/** Undefined once it has been handed over. Never throws. */
export type Deliver = (batch: Batch, signal: AbortSignal) => Promise<DeliveryProblem | undefined>;

/**
 * By rule, member, limit and receiver. Of a rule those parts count that say what it is about, so
 * that a policy with another `every` does not send everything again. Of the receiver there is only
 * a digest: keys are kept on disk, and URLs hold secrets.
 */
export function alertKey(rule: AlertRule, incident: Incident, receiver: string): string {
  const about = `${rule.limits.join(',')} ${rule.severity} ${receiver}`;
  return `${hash('sha256', about).slice(0, 24)} ${incident.member} ${incident.limit}`;
}
