/** Equal parts of a period: the averages and maxima of members' usage in each. */
import type { HistoryPeriod, Series } from '../history/history-query.ts';
import type { RecordedParts } from '../../usage/simulate.ts';

export interface Division extends HistoryPeriod {
  /** The number of equal parts. */
  readonly points: number;
}

/** A part of the period, and its share of some time. */
export interface Share {
  readonly part: number;
  readonly share: number;
}

export class Parts {
  readonly #from: number;
  readonly #length: number;
  readonly #points: number;
  readonly #seconds: Float64Array;
  readonly #slots: number;
  /** The slots of all parts, one part after the other: an hour is written in one place. */
  readonly #sums: Float64Array;
  /** NaN if unknown. */
  readonly #maxima: Float64Array;

  constructor({ from, to, points }: Division, slots: number) {
    this.#from = from;
    this.#length = (to - from) / points;
    this.#points = points;
    this.#slots = slots;
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

  /** How much of each part was measured. */
  get seconds(): readonly number[] {
    return Array.from(this.#seconds);
  }

  /** Returns the averages, maxima and seconds of a slot; what is unknown is not a number. */
  recorded(slot: number): RecordedParts & { readonly maxima: Float64Array } {
    const averages = new Float64Array(this.#points);
    const maxima = new Float64Array(this.#points);
    for (let part = 0; part < this.#points; part++) {
      const at = part * this.#slots + slot;
      // Nothing was measured in no time: zero by zero is not a number.
      averages[part] = (this.#sums[at] ?? 0) / (this.#seconds[part] ?? 0);
      maxima[part] = this.#maxima[at] ?? 0;
    }
    return { averages, maxima, seconds: this.#seconds };
  }

  series(slot: number): Series {
    const { averages, maxima } = this.recorded(slot);
    const { seconds } = this;
    const known = (values: ArrayLike<number>) =>
      seconds.map((each, part) => {
        const value = values[part] ?? NaN;
        return each === 0 || Number.isNaN(value) ? null : value;
      });
    return { averages: known(averages), maxima: known(maxima), seconds };
  }

  #put(slot: number, part: number, sum: number, max: number): void {
    const at = part * this.#slots + slot;
    // Not a number if either is unknown.
    this.#maxima[at] = Math.max(this.#maxima[at] ?? 0, max);
    this.#sums[at] = (this.#sums[at] ?? 0) + sum;
  }
}
