/** The verdict of the demo on one limit. */
import type { LimitKey, Support } from '../../src/limits/limit.ts';
import { gaugeOf, formatLimit, formatUse, type GaugeName, type Reading } from './gauge.ts';

/**
 * The outcome. Not proved: nothing went past the limit, and the load did not press against it
 * either.
 */
export type Outcome = 'enforced' | 'not enforced' | 'not proved' | 'not supported here';

export interface Verdict {
  readonly title: string;
  readonly key: LimitKey;
  readonly uid: number;
  readonly outcome: Outcome;
  /** The measured number that proves it, or why there is none. */
  readonly proof: string;
  readonly support: Support;
  readonly reading: Reading | undefined;
}

interface Judged {
  readonly title: string;
  readonly key: LimitKey;
  readonly uid: number;
  readonly gauge: GaugeName;
}

/** Judges a limit; `problem` is the reason why the load did not run as it should. */
export function judge(
  meter: Judged,
  support: Support,
  reading: Reading,
  problem: string | undefined,
): Verdict {
  const { title, key, uid, gauge: name } = meter;
  const gauge = gaugeOf(name, key);
  const limit = formatLimit(name, key, reading.limit);
  const proof = gauge.proof(reading, limit, (value) => formatUse(key, value));
  const verdict = (outcome: Outcome, text: string): Verdict => ({
    title,
    key,
    uid,
    outcome,
    proof: text,
    support,
    reading,
  });
  if (!gauge.within(reading)) return verdict('not enforced', proof);
  if (gauge.pressed(reading)) return verdict('enforced', proof);
  const why = problem ?? 'the load did not press against the limit';
  return verdict('not proved', `${proof}; ${why}`);
}

export function unsupported({ title, key, uid }: Judged, support: Support, proof: string): Verdict {
  return { title, key, uid, outcome: 'not supported here', proof, support, reading: undefined };
}

export const isFailure = ({ outcome }: Verdict) =>
  outcome === 'not enforced' || outcome === 'not proved';
