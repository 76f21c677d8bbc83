/**
 * The sums and maxima of members in the hours of a source, one metric at a time.
 *
 * Hours that were unpacked last are kept: questions about many members, one after the other, read the same hours, and
 * reading and unpacking these is nearly all of the work. Hours never change once they are written, and the ids of their
 * ticks are never used again in the same file; another file needs another cache.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { MetricKey } from '../../usage/metrics.ts';
import { decodeHourTotals, type HourTotals } from './hour-row.ts';
import { quotedName } from './metrics-schema.ts';
import type { RowSource } from './source.ts';
import type { Slots } from './tick-columns.ts';
import { decodeNumbers } from './tick-row.ts';

export interface MetricHour {
  /** The beginning of the hour. */
  readonly hour: number;
  /** How much of it was measured. */
  readonly seconds: number;
  /** The members that were busy with anything, by their numbers in the registry. */
  readonly numbers: Uint16Array | Uint32Array;
  /** The totals in the order of `numbers`; undefined if none of the query's members is among them, or the metric was 0. */
  readonly totals: HourTotals | undefined;
}

interface Kept {
  readonly totals: HourTotals | undefined;
  readonly size: number;
}

type Head = readonly [
  hour: number,
  seconds: number,
  first: number,
  last: number,
  count: number,
  members: Uint8Array | null,
];

/** Bytes: enough for one metric and its peaks of 1,000 members over 30 days. */
const sizeMax = 16 * 2 ** 20;
const sizeOf = (members: number) => 300 + 10 * members;
const arrays = { returnArrays: true };

export class HourCache {
  readonly #kept = new Map<string, Kept>();
  #size = 0;
  /** The number of columns that were read and unpacked. */
  unpacked = 0;

  /** Yields the hours of a source, the oldest first. */
  *over(
    db: DatabaseSync,
    { hourIds, step }: RowSource,
    metric: MetricKey,
    slots: Slots,
  ): Generator<MetricHour> {
    const heads = db.prepare(
      'SELECT hour, seconds, first, last, count, members FROM hours WHERE id = ?',
      arrays,
    );
    const columns = db.prepare(`SELECT ${quotedName(metric)} FROM hours WHERE id = ?`, arrays);
    for (const id of hourIds) {
      step();
      const head = heads.get(id);
      if (head === undefined) continue;
      const [hour, seconds, first, last, count, members] = head as unknown as Head;
      const numbers = decodeNumbers(members, count);
      const isAny = numbers.some((number) => (slots[number] ?? -1) >= 0);
      const key = `${metric} ${id} ${hour} ${first} ${last}`;
      const totals = isAny ? this.#totals(key, columns, id, count) : undefined;
      yield { hour, seconds, numbers, totals };
    }
  }

  #totals(key: string, columns: StatementSync, id: number, count: number): HourTotals | undefined {
    const known = this.#kept.get(key);
    if (known !== undefined) return known.totals;
    const [bytes] = (columns.get(id) ?? []) as unknown as readonly (Uint8Array | null)[];
    this.unpacked++;
    const totals = bytes instanceof Uint8Array ? decodeHourTotals(bytes, count) : undefined;
    this.#keep(key, { totals, size: sizeOf(totals === undefined ? 0 : count) });
    return totals;
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
