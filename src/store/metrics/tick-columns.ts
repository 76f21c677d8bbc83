/**
 * Reads several columns of ticks in one pass, and only the values of certain members. tick-row.ts defines the format.
 *
 * SQLite's cost depends on the number of values rather than on their bytes, so all columns are read as
 * one concatenated value, with their lengths.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { MetricKey } from '../../usage/metrics.ts';
import { isPartKey } from '../../usage/part-keys.ts';
import { quotedName } from './metrics-schema.ts';
import { ticksOf, type RowSource, type TickSample } from './source.ts';

/** The slot of each member, by its number in the registry; -1 for members not in the query. */
export type Slots = Int32Array;

const none = new Uint16Array(0);

export class TickColumns {
  readonly #columns: readonly string[];
  readonly #canBeUnknown: readonly boolean[];
  readonly #slotOf: Slots;
  readonly #begins: Int32Array;
  readonly #lengths: Int32Array;
  /** Whether each column is absent. */
  readonly #isAbsent: boolean[] = [];
  #words: Uint16Array = none;
  #count = 0;
  #at = 0;
  #seconds = 0;
  #present = 0;
  #indexes = new Int32Array(16);
  #slots = new Int32Array(16);
  #codes = new Uint16Array(16);

  constructor(metrics: readonly MetricKey[], slotOf: Slots) {
    this.#columns = metrics.map(quotedName);
    this.#canBeUnknown = metrics.map(isPartKey);
    this.#slotOf = slotOf;
    this.#begins = new Int32Array(metrics.length);
    this.#lengths = new Int32Array(metrics.length);
  }

  get at(): number {
    return this.#at;
  }

  get seconds(): number {
    return this.#seconds;
  }

  /** The number of the query's members in this tick. */
  get present(): number {
    return this.#present;
  }

  /** The slots of the members in this tick, in the order of their codes. Reused for the next tick. */
  get slots(): Int32Array {
    return this.#slots;
  }

  /** Yields itself for each tick; ticks with all columns zero only if `withIdle`. */
  *over(db: DatabaseSync, source: RowSource, withIdle = false): Generator<this> {
    for (const sample of ticksOf(db, source, this.#columns, withIdle)) {
      this.#read(sample);
      yield this;
    }
  }

  /** Whether the metric of a column was known in this tick. */
  isKnown(column: number): boolean {
    return this.#canBeUnknown[column] !== true || this.#isAbsent[column] !== true;
  }

  /** Returns the codes of a column for these members. Reused for the next column. */
  codes(column: number): Uint16Array {
    const length = this.#lengths[column] ?? 0;
    const begin = this.#begins[column] ?? 0;
    if (length === this.#count) this.#pick(begin);
    else if (length > wordsFor(this.#count) && length < this.#count) this.#unpack(begin);
    else this.#codes.fill(0, 0, this.#present);
    return this.#codes;
  }

  #read([at, seconds, count, bytes, ...lengths]: TickSample): void {
    this.#at = at;
    this.#seconds = seconds;
    this.#count = count;
    const all = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
    this.#words = new Uint16Array(all.buffer, all.byteOffset, all.byteLength >> 1);
    let begin = Math.max(0, lengths[0] ?? 0);
    for (let column = 0; column < this.#columns.length; column++) {
      const read = lengths[column + 1] ?? -1;
      const length = Math.max(0, read);
      this.#isAbsent[column] = read < 0;
      // An odd length is corrupt.
      const isWhole = begin % 2 === 0 && length % 2 === 0;
      this.#begins[column] = begin >> 1;
      this.#lengths[column] = isWhole ? length >> 1 : 0;
      begin += length;
    }
    this.#find(numbersIn(all, Math.max(0, lengths[0] ?? 0), count));
  }

  #find(numbers: Uint16Array | Uint32Array): void {
    if (numbers.length > this.#indexes.length) this.#grow(numbers.length * 2);
    const slotOf = this.#slotOf;
    let present = 0;
    for (let index = 0; index < numbers.length; index++) {
      const slot = slotOf[numbers[index] ?? 0] ?? -1;
      if (slot < 0) continue;
      this.#indexes[present] = index;
      this.#slots[present++] = slot;
    }
    this.#present = present;
  }

  #grow(length: number): void {
    this.#indexes = new Int32Array(length);
    this.#slots = new Int32Array(length);
    this.#codes = new Uint16Array(length);
  }

  #pick(begin: number): void {
    const words = this.#words;
    for (let each = 0; each < this.#present; each++) {
      this.#codes[each] = words[begin + (this.#indexes[each] ?? 0)] ?? 0;
    }
  }

  /** Counts the bits before each one, to get the number of codes before its own. */
  #unpack(begin: number): void {
    const words = this.#words;
    let word = 0;
    let next = begin + wordsFor(this.#count);
    for (let each = 0; each < this.#present; each++) {
      const index = this.#indexes[each] ?? 0;
      for (; word < index >> 4; word++) next += bitsIn(words[begin + word] ?? 0);
      const bits = words[begin + word] ?? 0;
      const bit = 1 << (index & 15);
      const isUsed = (bits & bit) !== 0;
      this.#codes[each] = isUsed ? (words[next + bitsIn(bits & (bit - 1))] ?? 0) : 0;
    }
  }
}

const wordsFor = (count: number) => (count + 15) >> 4;

function numbersIn(all: Uint8Array, length: number, count: number): Uint16Array | Uint32Array {
  if (length === count * 2) return new Uint16Array(all.buffer, all.byteOffset, count);
  if (length === count * 4) return new Uint32Array(all.buffer, all.byteOffset, count);
  return none;
}

/** Returns the number of set bits among 16. */
function bitsIn(word: number): number {
  const pairs = word - ((word >> 1) & 0x5555);
  const fours = (pairs & 0x3333) + ((pairs >> 2) & 0x3333);
  const eights = (fours + (fours >> 4)) & 0x0f0f;
  return (eights + (eights >> 8)) & 0x1f;
}
