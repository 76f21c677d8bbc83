/** The usage of members over time, as averages and maxima of equal parts of a period. */
import type { DatabaseSync } from 'node:sqlite';
import type { Hour, HourCache } from './hour-cache.ts';
import type { HistoryPeriod, Series } from '../history/history-query.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import type { RecordedParts } from '../../usage/simulate.ts';
import { hourMilliseconds, quotedName } from './metrics-schema.ts';
import { sampleValues } from './sample-code.ts';
import { hoursOf, type RowSource } from './source.ts';
import { TickColumns, type Slots } from './tick-columns.ts';
import { decodeNumbers } from './tick-row.ts';

export interface Division extends HistoryPeriod {
  readonly metric: MetricKey;
  /** The number of equal parts. */
  readonly points: number;
}

/** Returns the parts of each slot below `count`; one that no member has was never busy. */
export function partsOf(
  db: DatabaseSync,
  source: RowSource,
  { from, to, metric, points }: Division,
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

/** Raises maxima to those of a peak between ticks; one is unknown if either is. */
export const raisedMaxima = (maxima: Series['maxima'], peaks: Series['maxima']): Series['maxima'] =>
  maxima.map((max, part) => {
    const peak = peaks[part] ?? null;
    return max === null || peak === null ? null : Math.max(max, peak);
  });

const none = new Uint16Array(0);

/** A part of the period, and its share of some time. */
interface Share {
  readonly part: number;
  readonly share: number;
}

export class Parts {
  readonly #from: number;
  readonly #length: number;
  readonly #points: number;
  readonly #seconds: Float64Array;
  /** The parts of all slots, one after the other. */
  readonly #sums: Float64Array;
  /** NaN if unknown. */
  readonly #maxima: Float64Array;

  constructor({ from, to, points }: Omit<Division, 'metric'>, slots: number) {
    this.#from = from;
    this.#length = (to - from) / points;
    this.#points = points;
    this.#seconds = new Float64Array(points);
    this.#sums = new Float64Array(points * slots);
    this.#maxima = new Float64Array(points * slots);
  }

  /**
   * Returns the parts of a tick: the one in which it ends. If it is longer than a part, these are all parts that it
   * touches, which would look as if nothing had been measured otherwise.
   */
  sharesOfTick(at: number, seconds: number): readonly Share[] {
    const begin = at - seconds * 1000;
    if (at - begin > this.#length) return this.sharesOf(begin, at);
    const part = Math.ceil((at - this.#from) / this.#length) - 1;
    return [{ part: Math.min(Math.max(part, 0), this.#points - 1), share: 1 }];
  }

  /** Returns the parts that have some of the time. */
  sharesOf(begin: number, end: number): readonly Share[] {
    const first = Math.max(0, Math.floor((begin - this.#from) / this.#length));
    const last = Math.min(this.#points - 1, Math.ceil((end - this.#from) / this.#length) - 1);
    const shares: Share[] = [];
    for (let part = first; part <= last; part++) {
      const partBegin = this.#from + part * this.#length;
      const overlap = Math.min(end, partBegin + this.#length) - Math.max(begin, partBegin);
      const share = overlap / (end - begin);
      if (share > 0) shares.push({ part, share });
    }
    return shares;
  }

  /** Counts time in which every slot was measured. */
  measure(shares: readonly Share[], seconds: number): void {
    for (const { part, share } of shares)
      this.#seconds[part] = (this.#seconds[part] ?? 0) + seconds * share;
  }

  /** Adds a value that lasted for some seconds. */
  add(slot: number, shares: readonly Share[], seconds: number, value: number): void {
    for (const { part, share } of shares) this.#put(slot, part, value * seconds * share, value);
  }

  /**
   * Distributes a sum. Its maximum was at an unknown moment: parts that do not have all of the time have no known
   * maximum.
   */
  spread(slot: number, shares: readonly Share[], sum: number, max: number): void {
    for (const { part, share } of shares) {
      const known = share === 1 || max === 0 ? max : NaN;
      this.#put(slot, part, sum * share, known);
    }
  }

  /** Returns the averages, maxima and seconds of a slot; what is unknown is not a number. */
  recorded(slot: number): RecordedParts & { readonly maxima: Float64Array } {
    const begin = slot * this.#points;
    const maxima = this.#maxima.subarray(begin, begin + this.#points);
    // Nothing was measured in no time: zero by zero is not a number.
    const averages = this.#seconds.map(
      (seconds, part) => (this.#sums[begin + part] ?? 0) / seconds,
    );
    return { averages, maxima, seconds: this.#seconds };
  }

  series(slot: number): Series {
    const { averages, maxima } = this.recorded(slot);
    const seconds = Array.from(this.#seconds);
    const known = (values: ArrayLike<number>) =>
      seconds.map((each, part) => {
        const value = values[part] ?? NaN;
        return each === 0 || Number.isNaN(value) ? null : value;
      });
    return { averages: known(averages), maxima: known(maxima), seconds };
  }

  #put(slot: number, part: number, sum: number, max: number): void {
    const at = slot * this.#points + part;
    // Not a number if either is unknown.
    this.#maxima[at] = Math.max(this.#maxima[at] ?? 0, max);
    this.#sums[at] = (this.#sums[at] ?? 0) + sum;
  }
}
