/**
 * Recorded use against other limits: how long a limit would have been reached.
 *
 * The history has an average and a maximum of each part, not every moment. With the average `a`, the maximum `m` and the
 * limit `L`, use was above the limit for at least `(a - L) / (m - L)` of the part, and for at most `a / L` of it; if `m`
 * is not above `L`, never. Both are strict: no course of ticks with these
 * numbers is outside them. Bursts shorter than a tick are in neither.
 *
 * Use that another limit held back when it was recorded is the least that was wanted.
 */
import type { LimitKey } from '../limits/limit.ts';
import type { MetricKey } from './metrics.ts';

/** The effect of a limit on use above it; `reclaimed`: page cache is dropped, and files are read again. */
export type LimitEffect = 'slowed' | 'refused' | 'reclaimed' | 'ended';

export interface ReplayRule {
  readonly metric: MetricKey;
  /** A metric that counts toward the limit, too. */
  readonly plus?: MetricKey;
  readonly effect: LimitEffect;
}

/** The recorded metrics by which a limit can be replayed; others cannot. */
export const replayRules: Readonly<Partial<Record<LimitKey, readonly ReplayRule[]>>> = {
  'cpu.limit': [{ metric: 'cpu', effect: 'slowed' }],
  'memory.limit': [
    // Swap may keep programs that it would end.
    { metric: 'anonymous', effect: 'ended' },
    { metric: 'memory', effect: 'reclaimed' },
  ],
  'processes.limit': [{ metric: 'threads', effect: 'refused' }],
  'io.read': [{ metric: 'read', effect: 'slowed' }],
  'io.write': [{ metric: 'write', effect: 'slowed' }],
  'io.total': [{ metric: 'total', effect: 'slowed' }],
  'io.reads': [{ metric: 'reads', effect: 'slowed' }],
  'io.writes': [{ metric: 'writes', effect: 'slowed' }],
  'io.operations': [{ metric: 'operations', effect: 'slowed' }],
  'database.cpu': [{ metric: 'databaseCpu', effect: 'slowed' }],
  'database.connections': [{ metric: 'databaseConnections', effect: 'refused' }],
  'network.send': [{ metric: 'sent', effect: 'slowed' }],
  'network.receive': [{ metric: 'received', effect: 'slowed' }],
  'network.connections': [{ metric: 'connectionsOut', effect: 'refused' }],
};

/** Replays a CPU limit toward which the use of database servers counts. */
export const countedRules: readonly ReplayRule[] = [
  { metric: 'cpu', plus: 'databaseCpu', effect: 'slowed' },
];

/** Returns the metrics by which limits with these rules are replayed; at least one. */
export function replayMetrics(
  rules: readonly (readonly ReplayRule[] | undefined)[],
): readonly MetricKey[] {
  const all = rules.flatMap((each = []) => each);
  // What is added is asked for first.
  const metrics = new Set(all.flatMap(({ plus }) => plus ?? []));
  for (const { metric } of all) metrics.add(metric);
  return metrics.size === 0 ? ['cpu'] : [...metrics];
}

export interface RecordedParts {
  /** Averages; not a number if nothing was measured. */
  readonly averages: ArrayLike<number>;
  /** Maxima; not a number if unknown. */
  readonly maxima: ArrayLike<number>;
  /** How much of each part was measured. */
  readonly seconds: ArrayLike<number>;
  /** The least that the maximum of each part was, if `maxima` are only the most. */
  readonly maximaMin?: ArrayLike<number>;
}

/**
 * Adds two metrics. Their maxima may be of different moments, so the maximum of the sum has two bounds. A part of which
 * either metric is known for less time is unknown.
 */
export function addParts(one: RecordedParts, other: RecordedParts): RecordedParts {
  const parts = Array.from(one.averages, (average, part) => {
    const isKnown = (other.seconds[part] ?? 0) >= (one.seconds[part] ?? 0) / tolerance;
    const both = isKnown ? average + (other.averages[part] ?? NaN) : NaN;
    const [first, second] = [one.maxima[part] ?? NaN, other.maxima[part] ?? NaN];
    return { both, most: first + second, least: Math.max(both, first, second) };
  });
  return {
    averages: parts.map(({ both }) => both),
    maxima: parts.map(({ most }) => most),
    maximaMin: parts.map(({ least }) => least),
    seconds: one.seconds,
  };
}

export interface Replay {
  /** The least time above the limit. */
  readonly secondsMin: number;
  /** The most time above the limit. */
  readonly secondsMax: number;
  /** How often it was reached: parts in which it certainly was, counted once if they follow each other. */
  readonly stretches: number;
  /** How much of the period was measured; nothing is known of the rest. */
  readonly measuredSeconds: number;
}

/** Samples are stored to within 0.1 %. */
const tolerance = 1.001;

/** Whether a value is above a limit by more than the history rounds. */
export const isAboveLimit = (value: number, limit: number): boolean => value > limit * tolerance;

/** Replays recorded use against a limit in the same unit. */
export function replayLimit(
  { averages, maxima, maximaMin = maxima, seconds }: RecordedParts,
  limit: number,
): Replay {
  let [secondsMin, secondsMax, stretches, measuredSeconds] = [0, 0, 0, 0];
  let wasAbove = false;
  for (let index = 0; index < averages.length; index++) {
    const average = averages[index] ?? NaN;
    const length = seconds[index] ?? 0;
    if (Number.isNaN(average) || length === 0) {
      wasAbove = false;
      continue;
    }
    const max = maxima[index] ?? NaN;
    measuredSeconds += length;
    secondsMin += shareAboveMin(average, max, limit) * length;
    secondsMax += shareAboveMax(average, max, limit) * length;
    const certain = maximaMin[index] ?? NaN;
    const isAbove = isAboveLimit(Number.isNaN(certain) ? average : certain, limit);
    if (isAbove && !wasAbove) stretches++;
    wasAbove = isAbove;
  }
  return { secondsMin, secondsMax, stretches, measuredSeconds };
}

/** Returns the least share of a part above the limit; without a maximum, none is certain. */
function shareAboveMin(average: number, max: number, limit: number): number {
  if (Number.isNaN(max) || average <= limit || !isAboveLimit(max, limit)) return 0;
  return Math.min(1, (average - limit) / (max - limit));
}

/** Returns the most share of a part above the limit. */
function shareAboveMax(average: number, max: number, limit: number): number {
  if (!Number.isNaN(max) && !isAboveLimit(max, limit)) return 0;
  return limit <= 0 ? 1 : Math.min(1, average / limit);
}

/** The limits of all tenants together, next to the capacity of the host. */
export interface Committed {
  /** The sum of limits. */
  readonly committed: number;
  /** The number of tenants without this limit. */
  readonly unlimitedTenants: number;
  /** Committed divided by available. */
  readonly overcommit: number;
}

export function committedOf(limits: readonly (number | undefined)[], available: number): Committed {
  const known = limits.filter((each) => each !== undefined);
  const committed = known.reduce((sum, each) => sum + each, 0);
  const unlimitedTenants = limits.length - known.length;
  return { committed, unlimitedTenants, overcommit: committed / available };
}
