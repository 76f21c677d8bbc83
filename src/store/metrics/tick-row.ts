/**
 * One tick as a row: its members as numbers of the registry, and one column of codes per metric.
 *
 * An all-zero column is absent, except that of a metric that can be unknown: there an absent column means unknown, and
 * an empty one all zero, which is no longer. A column with many zeros is a bitmap of the nonzero members, in words of 16 bits, and
 * their codes; any other has one code per member. The length distinguishes them. Everything is in this machine's byte
 * order: the file is not meant to be moved between machines.
 *
 *     members  [3, 7, 12]        2 bytes each, 4 if a number needs them
 *     cpu      [12288, 0, 9216]  6 bytes
 *     write    [0b010, 17408]    4 bytes
 */
import { encodeSamples } from './sample-code.ts';

const empty = new Uint8Array(0);
/** A column of a metric that can be unknown, and was known to be zero. */
export const allZero = empty;

/** Turns the columns of a row into bytes, in memory that is reused for the next row. */
export class ColumnEncoder {
  #codes = new Uint16Array(0);
  #row = new Uint16Array(0);
  #end = 0;

  /** Starts a row with this many members and columns. */
  begin(count: number, columns: number): void {
    this.#end = 0;
    if (count > this.#codes.length) this.#codes = new Uint16Array(count * 2);
    if (count * columns > this.#row.length) this.#row = new Uint16Array(count * columns * 2);
  }

  /** Encodes a column; returns `undefined` if all values are zero. */
  encode(values: Float32Array): Uint8Array | undefined {
    const count = values.length;
    const used = encodeSamples(values, this.#codes);
    if (used === 0) return undefined;
    const begin = this.#end;
    if (wordsFor(count) + used < count) this.#pack(count);
    else {
      this.#row.set(this.#codes.subarray(0, count), begin);
      this.#end += count;
    }
    return new Uint8Array(this.#row.buffer, begin * 2, (this.#end - begin) * 2);
  }

  #pack(count: number): void {
    const row = this.#row;
    const bitmap = this.#end;
    let next = bitmap + wordsFor(count);
    row.fill(0, bitmap, next);
    for (let index = 0; index < count; index++) {
      const code = this.#codes[index] ?? 0;
      if (code === 0) continue;
      const word = bitmap + (index >> 4);
      row[word] = (row[word] ?? 0) | (1 << (index & 15));
      row[next++] = code;
    }
    this.#end = next;
  }
}

const wordsFor = (count: number) => (count + 15) >> 4;

/** Turns bytes back into one code per member, in memory that is reused. */
export class ColumnDecoder {
  #codes = new Uint16Array(1_024);

  /** Decodes a column; returns all zeros for an absent column, and for one with an invalid length. */
  decode(bytes: Uint8Array | null, count: number): Uint16Array {
    const words = shorts(bytes ?? empty);
    if (words.length === count) return words;
    if (count > this.#codes.length) this.#codes = new Uint16Array(count * 2);
    const codes = this.#codes.subarray(0, count);
    codes.fill(0);
    if (words.length > wordsFor(count) && words.length < count) unpack(words, codes);
    return codes;
  }
}

function unpack(words: Uint16Array, codes: Uint16Array): void {
  const bitmap = wordsFor(codes.length);
  let next = bitmap;
  for (let word = 0; word < bitmap; word++) {
    for (let bits = words[word] ?? 0; bits !== 0; bits &= bits - 1) {
      codes[(word << 4) + 31 - Math.clz32(bits & -bits)] = words[next++] ?? 0;
    }
  }
}

/** Encodes registry numbers as bytes. */
export function encodeNumbers(numbers: Uint32Array, largest: number): Uint8Array {
  const narrow = largest <= 0xffff ? Uint16Array.from(numbers) : numbers;
  return new Uint8Array(narrow.buffer, narrow.byteOffset, narrow.byteLength);
}

/** Decodes registry numbers; returns none if the length fits neither width. */
export function decodeNumbers(bytes: Uint8Array | null, count: number): Uint16Array | Uint32Array {
  const all = bytes ?? empty;
  if (all.byteLength === count * 2) return shorts(all);
  if (all.byteLength !== count * 4) return new Uint16Array(0);
  const aligned = all.byteOffset % 4 === 0 ? all : all.slice();
  return new Uint32Array(aligned.buffer, aligned.byteOffset, count);
}

function shorts(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >> 1);
}
