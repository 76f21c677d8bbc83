/** The usage of many members over time, in equal parts of a period: one pass reads all of them. */
import type { DatabaseSync } from 'node:sqlite';
import type { MetricKey } from '../../usage/metrics.ts';
import type { HourCache, MetricHour } from './hour-totals.ts';
import { hourMilliseconds } from './metrics-schema.ts';
import { Parts, type Division, type Share } from './parts.ts';
import { sampleValues } from './sample-code.ts';
import type { RowSource } from './source.ts';
import { TickColumns, type Slots } from './tick-columns.ts';

/** Returns the parts of each slot below `count`; one that no member has was never busy. */
export function partsOf(
  db: DatabaseSync,
  source: RowSource,
  { from, to, metric, points }: Division & { readonly metric: MetricKey },
  { slots, count }: { readonly slots: Slots; readonly count: number },
  cache: HourCache,
): Parts {
  const parts = new Parts({ from, to, points }, count);
  for (const each of cache.over(db, source, metric, slots)) {
    const shares = parts.sharesOf(each.hour, each.hour + hourMilliseconds);
    parts.measure(shares, each.seconds);
    addHour(parts, shares, each, slots);
  }
  for (const tick of new TickColumns([metric], slots).over(db, source, true)) {
    if (!tick.isKnown(0)) continue;
    const shares = parts.sharesOfTick(tick.at, tick.seconds);
    parts.measure(shares, tick.seconds);
    addTick(parts, shares, tick);
  }
  return parts;
}

function addHour(
  parts: Parts,
  shares: readonly Share[],
  { numbers, totals }: MetricHour,
  slots: Slots,
): void {
  if (totals === undefined) return;
  const { sums, maxima } = totals;
  for (let index = 0; index < numbers.length; index++) {
    const slot = slots[numbers[index] ?? 0] ?? -1;
    if (slot < 0) continue;
    parts.spread(slot, shares, sums[index] ?? 0, sampleValues[maxima[index] ?? 0] ?? 0);
  }
}

function addTick(parts: Parts, shares: readonly Share[], tick: TickColumns): void {
  if (tick.present === 0) return;
  const codes = tick.codes(0);
  for (let each = 0; each < tick.present; each++) {
    const value = sampleValues[codes[each] ?? 0] ?? 0;
    parts.add(tick.slots[each] ?? 0, shares, tick.seconds, value);
  }
}
