/**
 * Sums, maxima and quantiles of one metric for many members, in memory that does not grow with the
 * period: a histogram of 1024 bins each, 8 KiB.
 *
 * Quantiles of ticks are exact in codes, in two passes: the first finds the bin of a quantile, the second finds its
 * code among the 64 of that bin. The second reads nothing if the first pass's samples were few enough to be kept. The
 * result for hours is the middle of the bin, since only the bin is known.
 */
import type { HourColumn } from './hour-row.ts';
import { binCount, binShift, binValue, codesInBin, sampleValues } from './sample-code.ts';
import type { Slots, TickColumns } from './tick-columns.ts';

/** The limit below which a sum of seconds is a rounding error. */
const tinySeconds = 1e-6;

export class Tally {
  readonly sums: Float64Array;
  readonly maxima: Uint16Array;
  readonly #cells: Float64Array;
  readonly #busy: Float64Array;

  constructor(members: number) {
    this.sums = new Float64Array(members);
    this.maxima = new Uint16Array(members);
    this.#cells = new Float64Array(members * binCount);
    this.#busy = new Float64Array(members);
  }

  /** Adds the codes of a column of one tick; `offset`: of its slots. */
  addTick({ slots, present, seconds }: TickColumns, codes: Uint16Array, offset: number): void {
    const { sums, maxima } = this;
    const cells = this.#cells;
    for (let each = 0; each < present; each++) {
      const code = codes[each] ?? 0;
      if (code === 0) continue;
      const slot = offset + (slots[each] ?? 0);
      sums[slot] = (sums[slot] ?? 0) + (sampleValues[code] ?? 0) * seconds;
      if (code > (maxima[slot] ?? 0)) maxima[slot] = code;
      const cell = slot * binCount + (code >> binShift);
      cells[cell] = (cells[cell] ?? 0) + seconds;
    }
  }

  /** Adds an hour. `offset`: of the slots. */
  addHour(
    slots: Slots,
    numbers: Uint16Array | Uint32Array,
    column: HourColumn,
    offset: number,
  ): void {
    let next = 0;
    for (let index = 0; index < numbers.length; index++) {
      const begin = next;
      next += column.entries[index] ?? 0;
      const own = slots[numbers[index] ?? 0] ?? -1;
      if (own < 0) continue;
      const slot = offset + own;
      this.sums[slot] = (this.sums[slot] ?? 0) + (column.sums[index] ?? 0);
      this.maxima[slot] = Math.max(this.maxima[slot] ?? 0, column.maxima[index] ?? 0);
      this.#addBins(slot, column, begin, next);
    }
  }

  #addBins(slot: number, { bins, seconds }: HourColumn, begin: number, end: number): void {
    let bin = 0;
    for (let entry = begin; entry < end; entry++) {
      bin += bins[entry] ?? 0;
      if (bin >= binCount) return;
      const cell = slot * binCount + bin;
      this.#cells[cell] = (this.#cells[cell] ?? 0) + (sampleValues[seconds[entry] ?? 0] ?? 0);
    }
  }

  /** Returns the bin of a member's quantile. */
  place(slot: number, fraction: number, totalSeconds: number): Rank {
    const begin = slot * binCount;
    this.#busy[slot] ||= this.#sumOf(begin, this.maxima[slot] ?? 0);
    const idle = Math.max(0, totalSeconds - (this.#busy[slot] ?? 0));
    let left = fraction * totalSeconds - idle;
    if (left <= tinySeconds) return idlePlace;
    const max = (this.maxima[slot] ?? 0) >> binShift;
    for (let bin = 0; bin < max; bin++) {
      const seconds = this.#cells[begin + bin] ?? 0;
      if (left <= seconds + tinySeconds) return { bin, left };
      left -= seconds;
    }
    return { bin: max, left };
  }

  #sumOf(begin: number, maximum: number): number {
    let sum = 0;
    const end = begin + (maximum >> binShift);
    for (let cell = begin; cell <= end; cell++) sum += this.#cells[cell] ?? 0;
    return sum;
  }

  maximum(slot: number): number {
    return sampleValues[this.maxima[slot] ?? 0] ?? 0;
  }

  /** Returns the middle of the bin, but not above the maximum. */
  middle(slot: number, { bin }: Rank): number {
    return bin < 0 ? 0 : Math.min(binValue(bin), this.maximum(slot));
  }
}

/** A bin, or -1 for idle time, and the number of seconds into the bin. */
export interface Rank {
  readonly bin: number;
  readonly left: number;
}
const idlePlace: Rank = { bin: -1, left: 0 };

/** The second pass: finds which code of its bin a quantile is. It has one place per member and fraction. */
export class Refinement {
  readonly #places: readonly Rank[];
  readonly #perMember: number;
  readonly #bins: Int32Array;
  readonly #cells: Float64Array;

  constructor(places: readonly Rank[], perMember: number) {
    this.#places = places;
    this.#perMember = perMember;
    this.#bins = Int32Array.from(places, ({ bin }) => bin);
    this.#cells = new Float64Array(places.length * codesInBin);
  }

  /** Whether any of the places is not in idle time. */
  get isNeeded(): boolean {
    return this.#places.some(({ bin }) => bin >= 0);
  }

  addTick({ slots, present, seconds }: TickColumns, codes: Uint16Array, offset: number): void {
    for (let each = 0; each < present; each++) {
      const code = codes[each] ?? 0;
      if (code !== 0) this.add(offset + (slots[each] ?? 0), code, seconds);
    }
  }

  add(slot: number, code: number, seconds: number): void {
    const bin = code >> binShift;
    const end = (slot + 1) * this.#perMember;
    for (let place = slot * this.#perMember; place < end; place++) {
      if (this.#bins[place] !== bin) continue;
      const cell = place * codesInBin + (code & (codesInBin - 1));
      this.#cells[cell] = (this.#cells[cell] ?? 0) + seconds;
    }
  }

  value(index: number): number {
    const { bin, left } = this.#places[index] ?? idlePlace;
    if (bin < 0) return 0;
    const begin = index * codesInBin;
    let rest = left;
    let last = bin << binShift;
    for (let cell = 0; cell < codesInBin; cell++) {
      const seconds = this.#cells[begin + cell] ?? 0;
      if (seconds === 0) continue;
      last = (bin << binShift) + cell;
      if (rest <= seconds + tinySeconds) break;
      rest -= seconds;
    }
    return sampleValues[last] ?? 0;
  }
}
