/** Usage over time, as averages and maxima of equal parts of a period: of one member, or of all tenants together. */
import type { DatabaseSync } from 'node:sqlite';
import type { HourCache } from './hour-totals.ts';
import type { Columns, ColumnsQuery } from '../history/history-query.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import { hourMilliseconds } from './metrics-schema.ts';
import { Parts } from './parts.ts';
import { sampleValues } from './sample-code.ts';
import { secondsOfHours, type RowSource } from './source.ts';
import { TickColumns, type Slots } from './tick-columns.ts';

interface Subject {
  /** The members, by their numbers in the registry; none that was never busy. */
  readonly slots: Slots;
  /** Whether they are all tenants, for whose sum hours have a maximum; otherwise it is at most one member. */
  readonly isSum: boolean;
  /** The metrics that it can have; others are unknown. */
  readonly known: readonly MetricKey[];
}

export function columnsOf(
  db: DatabaseSync,
  source: RowSource,
  { from, to, metrics, points }: Omit<ColumnsQuery, 'of'>,
  subject: Subject,
  cache: HourCache,
): Columns {
  const parts = metrics.map(() => new Parts({ from, to, points }, 1));
  const time = new Parts({ from, to, points }, 0);
  for (const { hour, seconds } of secondsOfHours(db, source))
    time.measure(time.sharesOf(hour, hour + hourMilliseconds), seconds);
  const has = metrics.map((metric) => subject.known.includes(metric));
  for (const [index, metric] of metrics.entries())
    if (has[index] === true) addHours(db, source, metric, subject, cache, parts[index]);
  for (const tick of new TickColumns(metrics, subject.slots).over(db, source, true)) {
    const shares = time.sharesOfTick(tick.at, tick.seconds);
    time.measure(shares, tick.seconds);
    for (const [index, each] of parts.entries()) {
      if (has[index] !== true || !tick.isKnown(index)) continue;
      each.measure(shares, tick.seconds);
      each.add(0, shares, tick.seconds, sumOf(tick.codes(index), tick.present));
    }
  }
  const all = parts.map((each) => each.series(0));
  const found = metrics.map((metric, index) => {
    const { averages = [], maxima = [] } = all[index] ?? {};
    return [metric, { averages, maxima }] as const;
  });
  return { seconds: time.seconds, metrics: new Map(found) };
}

function sumOf(codes: Uint16Array, present: number): number {
  let sum = 0;
  for (let each = 0; each < present; each++) sum += sampleValues[codes[each] ?? 0] ?? 0;
  return sum;
}

function addHours(
  db: DatabaseSync,
  source: RowSource,
  metric: MetricKey,
  { slots, isSum }: Subject,
  cache: HourCache,
  parts: Parts | undefined,
): void {
  if (parts === undefined) return;
  for (const { hour, seconds, numbers, totals } of cache.over(db, source, metric, slots)) {
    const indexes = totals === undefined ? [] : indexesIn(numbers, slots);
    const sum = indexes.reduce((total, index) => total + (totals?.sums[index] ?? 0), 0);
    const own = sampleValues[totals?.maxima[indexes[0] ?? 0] ?? 0] ?? 0;
    const shares = parts.sharesOf(hour, hour + hourMilliseconds);
    parts.measure(shares, seconds);
    parts.spread(0, shares, sum, isSum ? (totals?.peak ?? 0) : own);
  }
}

function indexesIn(numbers: Uint16Array | Uint32Array, slots: Slots): readonly number[] {
  const found: number[] = [];
  for (let index = 0; index < numbers.length; index++)
    if ((slots[numbers[index] ?? 0] ?? -1) >= 0) found.push(index);
  return found;
}
