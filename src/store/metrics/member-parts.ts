/** The usage of many members over time, in equal parts of a period: one pass reads all of them. */
import type { DatabaseSync } from 'node:sqlite';
import type { MetricKey } from '../../usage/metrics.ts';
import type { Hour, HourCache } from './hour-cache.ts';
import { hourMilliseconds, quotedName } from './metrics-schema.ts';
import { Parts, type Division, type Share } from './parts.ts';
import { sampleValues } from './sample-code.ts';
import { hoursOf, type RowSource } from './source.ts';
import { TickColumns, type Slots } from './tick-columns.ts';
import { decodeNumbers } from './tick-row.ts';

const none = new Uint16Array(0);

/** Returns the parts of each slot below `count`; one that no member has was never busy. */
export function partsOf(
  db: DatabaseSync,
  source: RowSource,
  { from, to, metric, points }: Division & { readonly metric: MetricKey },
  { slots, count }: { readonly slots: Slots; readonly count: number },
  cache: HourCache,
): Parts {
  const parts = new Parts({ from, to, points }, count);
  const column = quotedName(metric);
  for (const [hour, seconds, busy, members, bytes] of hoursOf(db, source, column)) {
    const shares = parts.sharesOf(hour, hour + hourMilliseconds);
    parts.measure(shares, seconds);
    const numbers = bytes === null ? none : decodeNumbers(members, busy);
    if (bytes === null || !numbers.some((number) => (slots[number] ?? -1) >= 0)) continue;
    const found = cache.decode(`${metric} ${hour}`, bytes, busy);
    if (found !== undefined) addHour(parts, shares, found, { numbers, slots });
  }
  for (const tick of new TickColumns([column], slots).over(db, source, true)) {
    const shares = parts.sharesOfTick(tick.at, tick.seconds);
    parts.measure(shares, tick.seconds);
    addTick(parts, shares, tick);
  }
  return parts;
}

function addHour(
  parts: Parts,
  shares: readonly Share[],
  { sums, maxima }: Hour,
  { numbers, slots }: { readonly numbers: Uint16Array | Uint32Array; readonly slots: Slots },
): void {
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
