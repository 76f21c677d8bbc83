/**
 * Hours that were unpacked for the last series. Series of many members, one after the other, read the same hours, and
 * unpacking these is nearly all of the work.
 */
import { crc32 } from 'node:zlib';
import { decodeHourColumn, type HourColumn } from './hour-row.ts';

/** Sums and maxima by member. */
export type Hour = Pick<HourColumn, 'sums' | 'maxima'>;

interface Kept {
  readonly hour: Hour | undefined;
  readonly size: number;
}

/** Bytes: enough for one metric and its peaks of 1,000 members over 30 days. */
const sizeMax = 16 * 2 ** 20;
const sizeOf = (members: number) => 300 + 10 * members;

export class HourCache {
  readonly #kept = new Map<string, Kept>();
  #size = 0;

  /** Unpacks a column of an hour, which has `count` members; undefined if the bytes are corrupt. */
  decode(column: string, bytes: Uint8Array, count: number): Hour | undefined {
    const key = `${column} ${count} ${bytes.byteLength} ${crc32(bytes)}`;
    const known = this.#kept.get(key);
    if (known !== undefined) return known.hour;
    const whole = decodeHourColumn(bytes, count);
    // Copies: the histogram, which is most of it, would be kept as well.
    const hour = whole && { sums: whole.sums.slice(), maxima: whole.maxima.slice() };
    this.#keep(key, { hour, size: sizeOf(count) });
    return hour;
  }

  /** Keeps an hour, and drops the oldest ones beyond `sizeMax`. */
  #keep(key: string, kept: Kept): void {
    this.#kept.set(key, kept);
    this.#size += kept.size;
    for (const [oldest, { size }] of this.#kept) {
      if (this.#size <= sizeMax) return;
      this.#kept.delete(oldest);
      this.#size -= size;
    }
  }
}
