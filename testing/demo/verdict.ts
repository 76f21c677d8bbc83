/** The verdict of the demo on one limit. */
import type { LimitKey } from '../../src/limits/limit.ts';
import type { Support } from '../../src/limits/support.ts';
import {
  gaugeOf,
  formatGaugeLimit,
  formatUse,
  type GaugeName,
  type GaugeReading,
} from './gauge.ts';

/**
 * The outcome. Not proved: nothing went past the limit, and the load did not press against it
 * either. Not judged: the host was too busy with something else to tell.
 */
export type LimitOutcome =
  | 'enforced'
  | 'not enforced'
  | 'not proved'
  | 'not judged'
  | 'not supported here';

export interface LimitVerdict {
  readonly title: string;
  readonly key: LimitKey;
  readonly uid: number;
  readonly outcome: LimitOutcome;
  /** The measured number that proves it, or why there is none. */
  readonly proof: string;
  readonly support: Support;
  readonly reading: GaugeReading | undefined;
}

interface Judged {
  readonly title: string;
  readonly key: LimitKey;
  readonly uid: number;
  readonly gauge: GaugeName;
}

/** Judges a limit; `problem` is the reason why the load did not run as it should. */
export function judgeLimit(
  meter: Judged,
  support: Support,
  reading: GaugeReading,
  problem: string | undefined,
): LimitVerdict {
  const { title, key, uid, gauge: name } = meter;
  const gauge = gaugeOf(name, key);
  const limit = formatGaugeLimit(name, key, reading.limit);
  const proof = gauge.proof(reading, limit, (value) => formatUse(key, value));
  const verdict = (outcome: LimitOutcome, text: string): LimitVerdict => ({
    title,
    key,
    uid,
    outcome,
    proof: text,
    support,
    reading,
  });
  const unjudged = problem === undefined ? gauge.unjudged?.(reading) : undefined;
  if (unjudged !== undefined) return verdict('not judged', unjudged);
  if (!gauge.within(reading)) return verdict('not enforced', proof);
  if (gauge.pressed(reading)) return verdict('enforced', proof);
  const why = problem ?? 'the load did not press against the limit';
  return verdict('not proved', `${proof}; ${why}`);
}

export function unsupported(
  { title, key, uid }: Judged,
  support: Support,
  proof: string,
): LimitVerdict {
  return { title, key, uid, outcome: 'not supported here', proof, support, reading: undefined };
}

export const isFailure = ({ outcome }: LimitVerdict) =>
  outcome === 'not enforced' || outcome === 'not proved';
