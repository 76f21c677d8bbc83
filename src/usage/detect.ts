/**
 * Compares two samples of counters, and returns the limits that were hit in between, and those that would have been if
 * they were enforced.
 */
import type { Counters, FaultRule, LimitKey, LimitValues } from '../limits/limit.ts';
import { limits } from '../limits/limits.ts';
import { unlimited } from '../../packages/base/quantity.ts';
import { advised } from './advise.ts';
import type { Fault } from './fault.ts';
import { counterGrowth, valueOf, type Reading } from './measure.ts';
import { kindOf } from './member.ts';
import type { MetricKey } from './metrics.ts';

/** The share of a limit from which the limit holds usage back. */
const atLimit = 0.95;

interface KeyedRule extends FaultRule {
  readonly key: LimitKey;
}

const rules: readonly KeyedRule[] = limits.flatMap((limit) =>
  limit.faults.map((rule) => ({ ...rule, key: `${limit.name}.${rule.attribute}` as const })),
);

/**
 * Returns a fault for each observed limit that usage exceeded. CPU and disk I/O count as averages of the tick, since the
 * kernel counts no shorter time without a limit; page cache does not count, since the kernel would have reclaimed it.
 */
export function observedFaults(
  reading: Reading,
  tickSeconds: number,
  observed: LimitValues,
): readonly Fault[] {
  const { member } = reading;
  const seconds = reading.seconds ?? tickSeconds;
  return comparable.flatMap(([limit, metric]): readonly Fault[] => {
    const value = observed[limit];
    if (value === undefined || value === unlimited) return [];
    // A rate without an earlier reading is 0.
    const used = valueOf(metric, reading, seconds);
    // What is not a number is unknown.
    if (!(used > value)) return [];
    return [{ member, limit, severity: 'observed', count: 1, inferred: true }];
  });
}

/** The limits that usage can be compared with, and the metric that shows whether it exceeded them. */
export const comparable: readonly (readonly [limit: LimitKey, metric: MetricKey])[] = advised.map(
  ([limit, metric]) => [limit, metric === 'threads' ? 'threadsPeak' : metric],
);

export function detectFaults(
  { member, before, now, ...reading }: Reading,
  tickSeconds: number,
  values: LimitValues,
): readonly Fault[] {
  if (before === undefined || before === now) return [];
  const seconds = reading.seconds ?? tickSeconds;
  const isReseller = kindOf(member) === 'reseller';
  const faults: Fault[] = [];
  for (const rule of rules) {
    // The kernel also counts tenants' events for the reseller above them.
    if (isReseller && (values[rule.key] ?? unlimited) === unlimited) continue;
    const count = hits(rule, before, now, seconds, values[rule.key]);
    const { key: limit, severity, inferred } = rule;
    if (count > 0) faults.push({ member, limit, severity, count, inferred });
  }
  return faults;
}

function hits(
  { counter, plus, inferred, peak, unless }: KeyedRule,
  before: Readonly<Counters>,
  now: Readonly<Counters>,
  seconds: number,
  value: number | typeof unlimited | undefined,
): number {
  const limit = value === undefined || value === unlimited ? undefined : value;
  if (peak !== undefined) {
    const above = (level: number) => counterGrowth(limit ?? Infinity, level);
    return counterGrowth(above(before[counter]), above(Math.max(now[counter], now[peak])));
  }
  const more = plus === undefined ? 0 : counterGrowth(before[plus], now[plus]);
  const count = counterGrowth(before[counter], now[counter]) + more;
  if (count === 0) return 0;
  if (inferred) return limit !== undefined && count / seconds >= atLimit * limit ? 1 : 0;
  return limit !== undefined && unless?.(now, limit) === true ? 0 : count;
}
