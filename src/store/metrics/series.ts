/** The usage of one member over time, as averages and maxima of equal parts of a period. */
import type { DatabaseSync } from 'node:sqlite';
import type { HourCache } from './hour-cache.ts';
import type { Series, SeriesQuery } from '../history/history-query.ts';
import { hourMilliseconds, quotedName } from './metrics-schema.ts';
import { sampleValues } from './sample-code.ts';
import { hoursOf, type RowSource } from './source.ts';
import { TickColumns } from './tick-columns.ts';
import { decodeNumbers } from './tick-row.ts';

/**
 * Returns a member's series. `number`: the member's number in the registry; absent if it was never
 * busy.
 */
export function seriesOf(
  db: DatabaseSync,
  source: RowSource,
  { from, to, metric, points }: SeriesQuery,
  number: number | undefined,
  cache: HourCache,
): Series {
  const parts = new Parts(from, to, points);
  const column = quotedName(metric);
  for (const [hour, seconds, count, members, bytes] of hoursOf(db, source, column)) {
    const index = indexOf(members, count, number);
    const found =
      bytes === null || index < 0 ? undefined : cache.decode(`${metric} ${hour}`, bytes, count);
    const max = sampleValues[found?.maxima[index] ?? 0] ?? 0;
    parts.spread(hour, hour + hourMilliseconds, seconds, found?.sums[index] ?? 0, max);
  }
  const slots = new Int32Array((number ?? 0) + 1).fill(-1);
  if (number !== undefined) slots[number] = 0;
  for (const tick of new TickColumns([column], slots).over(db, source, true)) {
    const code = tick.present === 0 ? 0 : (tick.codes(0)[0] ?? 0);
    parts.add(tick.at, tick.seconds, sampleValues[code] ?? 0);
  }
  return { averages: parts.averages(), maxima: parts.maxima(), seconds: parts.seconds() };
}

function indexOf(members: Uint8Array | null, count: number, number: number | undefined): number {
  return number === undefined ? -1 : decodeNumbers(members, count).indexOf(number);
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

  averages(): Series['averages'] {
    return Array.from(this.#sums, (sum, part) => {
      const seconds = this.#seconds[part] ?? 0;
      return seconds === 0 ? null : sum / seconds;
    });
  }

  seconds(): Series['seconds'] {
    return Array.from(this.#seconds);
  }

  maxima(): Series['maxima'] {
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
