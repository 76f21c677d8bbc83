/** The maximum of many members over a period; nothing else is unpacked or added up. */
import type { DatabaseSync } from 'node:sqlite';
import type { MetricKey } from '../../usage/metrics.ts';
import type { HourCache, MetricHour } from './hour-totals.ts';
import { sampleValues } from './sample-code.ts';
import type { RowSource } from './source.ts';
import { TickColumns, type Slots } from './tick-columns.ts';

/** Returns the maxima of the slots below `count`. */
export function maximaOf(
  db: DatabaseSync,
  source: RowSource,
  metric: MetricKey,
  { slots, count }: { readonly slots: Slots; readonly count: number },
  cache: HourCache,
): Float32Array {
  const codes = new Uint16Array(count);
  for (const each of cache.over(db, source, metric, slots)) addHour(codes, each, slots);
  for (const tick of new TickColumns([metric], slots).over(db, source)) addTick(codes, tick);
  return Float32Array.from(codes, (code) => sampleValues[code] ?? 0);
}

function addHour(codes: Uint16Array, { numbers, totals }: MetricHour, slots: Slots): void {
  if (totals === undefined) return;
  for (let index = 0; index < numbers.length; index++) {
    const slot = slots[numbers[index] ?? 0] ?? -1;
    if (slot >= 0) codes[slot] = Math.max(codes[slot] ?? 0, totals.maxima[index] ?? 0);
  }
}

function addTick(codes: Uint16Array, tick: TickColumns): void {
  if (tick.present === 0) return;
  const own = tick.codes(0);
  for (let each = 0; each < tick.present; each++) {
    const slot = tick.slots[each] ?? 0;
    codes[slot] = Math.max(codes[slot] ?? 0, own[each] ?? 0);
  }
}
