/** Usage over time, as averages and maxima of equal parts of a period: of one member, or of all tenants together. */
import type { DatabaseSync } from 'node:sqlite';
import type { HourCache } from './hour-cache.ts';
import type { Columns, ColumnsQuery, Series } from '../history/history-query.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import { peakOf } from './hour-row.ts';
import { hourMilliseconds, quotedName } from './metrics-schema.ts';
import { sampleValues } from './sample-code.ts';
import { hoursOf, type RowSource } from './source.ts';
import { TickColumns, type Slots } from './tick-columns.ts';
import { decodeNumbers } from './tick-row.ts';

interface Subject {
  /** The members, by their numbers in the registry; none that was never busy. */
  readonly slots: Slots;
  /** Whether they are all tenants, for whose sum hours have a maximum; otherwise it is at most one member. */
  readonly isSum: boolean;
}

export function columnsOf(
  db: DatabaseSync,
  source: RowSource,
  { from, to, metrics, points }: Omit<ColumnsQuery, 'of'>,
  subject: Subject,
  cache: HourCache,
): Columns {
  const parts = metrics.map(() => new Parts(from, to, points));
  for (const [index, metric] of metrics.entries())
    addHours(db, source, metric, subject, cache, parts[index]);
  const names = metrics.map(quotedName);
  for (const tick of new TickColumns(names, subject.slots).over(db, source, true))
    for (const [index, each] of parts.entries())
      each.add(tick.at, tick.seconds, sumOf(tick.codes(index), tick.present));
  const found = metrics.map((metric, index) => {
    const { averages = [], maxima = [] } = parts[index]?.columns() ?? {};
    return [metric, { averages, maxima }] as const;
  });
  return { seconds: parts[0]?.seconds() ?? [], metrics: new Map(found) };
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
  for (const [hour, seconds, count, members, bytes] of hoursOf(db, source, quotedName(metric))) {
    const indexes = bytes === null ? [] : indexesIn(decodeNumbers(members, count), slots);
    const found =
      bytes === null || indexes.length === 0
        ? undefined
        : cache.decode(`${metric} ${hour}`, bytes, count);
    const sum = indexes.reduce((total, index) => total + (found?.sums[index] ?? 0), 0);
    const max =
      isSum && bytes !== null
        ? peakOf(bytes)
        : (sampleValues[found?.maxima[indexes[0] ?? 0] ?? 0] ?? 0);
    parts?.spread(hour, hour + hourMilliseconds, seconds, sum, max);
  }
}

function indexesIn(numbers: Uint16Array | Uint32Array, slots: Slots): readonly number[] {
  const found: number[] = [];
  for (let index = 0; index < numbers.length; index++)
    if ((slots[numbers[index] ?? 0] ?? -1) >= 0) found.push(index);
  return found;
}

class Parts {
  readonly #from: number;
  readonly #length: number;
  readonly #seconds: Float64Array;
  readonly #sums: Float64Array;
  /** NaN if unknown. */
  readonly #maxima: Float64Array;

  constructor(from: number, to: number, points: number) {
    this.#from = from;
    this.#length = (to - from) / points;
    this.#seconds = new Float64Array(points);
    this.#sums = new Float64Array(points);
    this.#maxima = new Float64Array(points);
  }

  /**
   * Adds a value that lasted for some seconds. It belongs to the part in which they end; if they are longer than a part,
   * to all parts that they touch, which would look as if nothing had been measured otherwise.
   */
  add(at: number, seconds: number, value: number): void {
    const begin = at - seconds * 1000;
    if (at - begin > this.#length) {
      this.#distribute(begin, at, (part, share) =>
        this.#put(part, seconds * share, value * seconds * share, value),
      );
      return;
    }
    const part = Math.ceil((at - this.#from) / this.#length) - 1;
    this.#put(Math.min(Math.max(part, 0), this.#sums.length - 1), seconds, value * seconds, value);
  }

  /**
   * Distributes a sum over the parts within the time. Its maximum was at an unknown moment: parts that do not have all
   * of the time have no known maximum.
   */
  spread(begin: number, end: number, seconds: number, sum: number, max: number): void {
    this.#distribute(begin, end, (part, share) => {
      const known = share === 1 || max === 0 ? max : NaN;
      this.#put(part, seconds * share, sum * share, known);
    });
  }

  /** Calls `put` for each part that has some of the time, with its share of it. */
  #distribute(begin: number, end: number, put: (part: number, share: number) => void): void {
    const first = Math.max(0, Math.floor((begin - this.#from) / this.#length));
    const last = Math.min(this.#sums.length - 1, Math.ceil((end - this.#from) / this.#length) - 1);
    for (let part = first; part <= last; part++) {
      const partBegin = this.#from + part * this.#length;
      const overlap = Math.min(end, partBegin + this.#length) - Math.max(begin, partBegin);
      const share = overlap / (end - begin);
      if (share > 0) put(part, share);
    }
  }

  columns(): Pick<Series, 'averages' | 'maxima'> {
    return { averages: this.#averages(), maxima: this.#maximaOf() };
  }

  #averages(): Series['averages'] {
    return Array.from(this.#sums, (sum, part) => {
      const seconds = this.#seconds[part] ?? 0;
      return seconds === 0 ? null : sum / seconds;
    });
  }

  seconds(): Series['seconds'] {
    return Array.from(this.#seconds);
  }

  #maximaOf(): Series['maxima'] {
    return Array.from(this.#maxima, (max, part) =>
      this.#seconds[part] === 0 || Number.isNaN(max) ? null : max,
    );
  }

  #put(part: number, seconds: number, sum: number, max: number): void {
    // Not a number if either is unknown.
    this.#maxima[part] = Math.max(this.#maxima[part] ?? 0, max);
    this.#seconds[part] = (this.#seconds[part] ?? 0) + seconds;
    this.#sums[part] = (this.#sums[part] ?? 0) + sum;
  }
}
