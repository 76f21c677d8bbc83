/** The usage of one member over time, as averages of equal parts of a period. */
import type { DatabaseSync } from 'node:sqlite';
import { decodeHourColumn } from './hour-row.ts';
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
): Series {
  const parts = new Parts(from, to, points);
  const column = quotedName(metric);
  for (const [hour, seconds, count, members, bytes] of hoursOf(db, source, column)) {
    const index = indexOf(members, count, number);
    const sums = bytes === null || index < 0 ? undefined : decodeHourColumn(bytes, count)?.sums;
    parts.spread(hour, hour + hourMilliseconds, seconds, sums?.[index] ?? 0);
  }
  const slots = new Int32Array((number ?? 0) + 1).fill(-1);
  if (number !== undefined) slots[number] = 0;
  for (const tick of new TickColumns([column], slots).over(db, source, true)) {
    const code = tick.present === 0 ? 0 : (tick.codes(0)[0] ?? 0);
    parts.add(tick.at, tick.seconds, (sampleValues[code] ?? 0) * tick.seconds);
  }
  return parts.averages();
}

function indexOf(members: Uint8Array | null, count: number, number: number | undefined): number {
  return number === undefined ? -1 : decodeNumbers(members, count).indexOf(number);
}

class Parts {
  readonly #from: number;
  readonly #length: number;
  readonly #seconds: Float64Array;
  readonly #sums: Float64Array;

  constructor(from: number, to: number, points: number) {
    this.#from = from;
    this.#length = (to - from) / points;
    this.#seconds = new Float64Array(points);
    this.#sums = new Float64Array(points);
  }

  /** Adds a point in time, which belongs to the part that it ends. */
  add(at: number, seconds: number, sum: number): void {
    const part = Math.ceil((at - this.#from) / this.#length) - 1;
    this.#put(Math.min(Math.max(part, 0), this.#sums.length - 1), seconds, sum);
  }

  /** Distributes the value over the parts within the time. */
  spread(begin: number, end: number, seconds: number, sum: number): void {
    const first = Math.max(0, Math.floor((begin - this.#from) / this.#length));
    const last = Math.min(this.#sums.length - 1, Math.ceil((end - this.#from) / this.#length) - 1);
    for (let part = first; part <= last; part++) {
      const partBegin = this.#from + part * this.#length;
      const overlap = Math.min(end, partBegin + this.#length) - Math.max(begin, partBegin);
      const share = overlap / (end - begin);
      if (share > 0) this.#put(part, seconds * share, sum * share);
    }
  }

  averages(): Series {
    return Array.from(this.#sums, (sum, part) => {
      const seconds = this.#seconds[part] ?? 0;
      return seconds === 0 ? null : sum / seconds;
    });
  }

  #put(part: number, seconds: number, sum: number): void {
    this.#seconds[part] = (this.#seconds[part] ?? 0) + seconds;
    this.#sums[part] = (this.#sums[part] ?? 0) + sum;
  }
}
