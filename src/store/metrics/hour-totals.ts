/**
 * The sums and maxima of members in the hours of a source, one metric at a time.
 *
 * Hours that were unpacked last are kept: questions about many members, one after the other, read the same hours, and
 * reading and unpacking these is nearly all of the work. Hours never change once they are written, and the ids of their
 * ticks are never used again in the same file; another file needs another cache.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { MetricKey } from '../../usage/metrics.ts';
import { isPartKey } from '../../usage/part-keys.ts';
import { decodeHourTotals, splitKnown, type HourTotals } from './hour-row.ts';
import { quotedName } from './metrics-schema.ts';
import type { RowSource } from './source.ts';
import type { Slots } from './tick-columns.ts';
import { decodeNumbers } from './tick-row.ts';

export interface MetricHour {
  /** The beginning of the hour. */
  readonly hour: number;
  /** How much of it was measured, and the metric known. */
  readonly seconds: number;
  /** The members that were busy with anything, by their numbers in the registry. */
  readonly numbers: Uint16Array | Uint32Array;
  /** The totals in the order of `numbers`; undefined if none of the query's members is among them, or the metric was 0. */
  readonly totals: HourTotals | undefined;
}

interface Kept {
  readonly totals: HourTotals | undefined;
  /** How much of the hour the metric was known. */
  readonly seconds: number;
  readonly size: number;
}

/** One column of an hour in the file. */
interface Packed {
  readonly columns: StatementSync;
  readonly id: number;
  readonly metric: MetricKey;
  readonly seconds: number;
  readonly count: number;
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
      // Without any of the members, the column still says for how long the metric was known.
      if (!isAny && !isPartKey(metric)) yield { hour, seconds, numbers, totals: undefined };
      else {
        const kept =
          this.#kept.get(key) ?? this.#unpack(key, { columns, id, metric, seconds, count });
        yield { hour, seconds: kept.seconds, numbers, totals: isAny ? kept.totals : undefined };
      }
    }
  }

  #unpack(key: string, { columns, id, metric, seconds: all, count }: Packed): Kept {
    const [read] = (columns.get(id) ?? []) as unknown as readonly (Uint8Array | null)[];
    this.unpacked++;
    const { bytes, seconds } = splitKnown(metric, read ?? null, all);
    const totals = bytes === null ? undefined : decodeHourTotals(bytes, count);
    const kept = { totals, seconds, size: sizeOf(totals === undefined ? 0 : count) };
    this.#keep(key, kept);
    return kept;
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
