/**
 * Questions to the history, on a read-only connection of its own to `metrics.db`.
 *
 * They run for as long as they need, so the agent asks through `History`, which has a thread for it.
 * Memory is bounded: 8 KiB a member in groups of 2,000, one metric at a time, whatever the period.
 */
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { quoted } from '../host/errno.ts';
import { fail, ok, type Result } from '../units/result.ts';
import { isReseller, type Member } from '../usage/member.ts';
import type { MetricKey } from '../usage/metrics.ts';
import { decodeHourColumn, peakOf } from './hour-row.ts';
import {
  mostFractions,
  mostPoints,
  type Distribution,
  type PeakQuery,
  type Period,
  type Quantiles,
  type QuantilesQuery,
  type Series,
  type SeriesQuery,
  type UsageHistory,
  type UsageQuery,
} from './history-query.ts';
import { metricsFile, quotedName } from './metrics-schema.ts';
import { Recording } from './recording.ts';
import { sampleValues } from './sample-code.ts';
import { seriesOf } from './series.ts';
import { findSource, hoursOf, ticksOf, type Source } from './source.ts';
import { describeSqlite, isDamage } from './sqlite-error.ts';
import { Refinement, Tally, type Slots } from './tally.ts';
import { ColumnDecoder, decodeNumbers } from './tick-row.ts';

const membersAtOnce = 2_000;
/** Of so few, what was read is kept for the second pass; of many it would not fit. */
const fewMembers = 64;
const busyMilliseconds = 1_000;

export interface ReadFailure {
  readonly text: string;
  /** What is wrong with the file, where it should be set aside. */
  readonly damage?: string;
}
export type Read<T> = Result<T, ReadFailure>;

interface Connection {
  readonly db: DatabaseSync;
  /** The file that it reads may have been set aside, and another begun. */
  readonly inode: number;
}

export class HistoryReader implements Disposable {
  readonly #path: string;
  readonly #decoder = new ColumnDecoder();
  readonly #recording = new Recording();
  #connection: Connection | undefined;

  constructor(directory: string) {
    this.#path = `${directory}/${metricsFile}`;
  }

  /** How the use of each is distributed over the period. */
  usage(query: UsageQuery): Read<UsageHistory> {
    return this.#read(query, (db) => {
      const source = findSource(db, query);
      const rows = new Map<Member, Partial<Record<MetricKey, Distribution>>>();
      for (const group of groupsOf(membersIn(db, query.members))) {
        for (const metric of query.metrics) {
          const found = this.#distribution(db, source, metric, group, [0.95]);
          for (const { member, average, max, quantiles } of found) {
            const row = rows.get(member) ?? {};
            row[metric] = { average, p95: quantiles[0] ?? 0, max };
            rows.set(member, row);
          }
        }
      }
      for (const row of rows.values()) fillIn(row, query.metrics);
      return { detail: source.detail, measuredSeconds: source.measuredSeconds, rows };
    });
  }

  quantiles(query: QuantilesQuery): Read<Quantiles> {
    const { metric, fractions } = query;
    if (fractions.length > mostFractions) {
      return fail({
        text: `Cannot answer ${fractions.length} quantiles at once: ask for at most ${mostFractions}`,
      });
    }
    return this.#read(query, (db) => {
      const source = findSource(db, query);
      return new Map(
        groupsOf(membersIn(db, query.members)).flatMap((group) =>
          this.#distribution(db, source, metric, group, fractions).map(
            ({ member, quantiles }) => [member, quantiles] as const,
          ),
        ),
      );
    });
  }

  series(query: SeriesQuery): Read<Series> {
    const { points } = query;
    if (!Number.isInteger(points) || points < 1 || points > mostPoints) {
      return fail({
        text: `Cannot divide a period into ${points} parts: ask for 1 to ${mostPoints}`,
      });
    }
    return this.#read(query, (db) => {
      const [known] = membersIn(db, [query.member]);
      return seriesOf(db, findSource(db, query), query, known?.number);
    });
  }

  /** The most that all tenants used together in one tick. */
  peakTotal(query: PeakQuery): Read<number> {
    return this.#read(query, (db) => {
      const column = quotedName(query.metric);
      const source = findSource(db, query);
      let peak = 0;
      for (const [, , , , bytes] of hoursOf(db, source, column)) {
        if (bytes !== null) peak = Math.max(peak, peakOf(bytes));
      }
      const { slots } = slotsOf(
        membersIn(db, undefined).filter(({ member }) => !isReseller(member)),
      );
      for (const [, , count, members, bytes] of ticksOf(db, source, column)) {
        const numbers = decodeNumbers(members, count);
        const codes = this.#decoder.decode(bytes, numbers.length);
        let total = 0;
        for (let index = 0; index < numbers.length; index++) {
          if ((slots[numbers[index] ?? 0] ?? -1) >= 0)
            total += sampleValues[codes[index] ?? 0] ?? 0;
        }
        peak = Math.max(peak, total);
      }
      return peak;
    });
  }

  close(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.db.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #distribution(
    db: DatabaseSync,
    source: Source,
    metric: MetricKey,
    group: readonly Known[],
    fractions: readonly number[],
  ): readonly Found[] {
    const column = quotedName(metric);
    const { slots, members } = slotsOf(group);
    const tally = new Tally(members.length);
    for (const [, , count, numbers, bytes] of hoursOf(db, source, column)) {
      const hour = bytes === null ? undefined : decodeHourColumn(bytes, count);
      if (hour !== undefined) tally.addHour(slots, decodeNumbers(numbers, count), hour);
    }
    const isFew = source.detail === 'ticks' && members.length <= fewMembers;
    const recording = isFew ? this.#recording : undefined;
    recording?.begin();
    this.#eachTick(db, source, column, (numbers, codes, seconds) => {
      tally.addTick(slots, numbers, codes, seconds);
      if (recording?.isWhole === true) recording.addTick(slots, numbers, codes, seconds);
    });
    const total = source.measuredSeconds;
    const places = members.flatMap((_, slot) =>
      fractions.map((fraction) => tally.place(slot, fraction, total)),
    );
    const refinement = new Refinement(places, fractions.length);
    const refined = source.detail === 'ticks' ? refinement : undefined;
    if (refined?.isNeeded === true && recording?.isWhole === true) {
      recording.replay((slot, code, seconds) => refined.add(slot, code, seconds));
    } else if (refined?.isNeeded === true) {
      this.#eachTick(db, source, column, (numbers, codes, seconds) => {
        refined.addTick(slots, numbers, codes, seconds);
      });
    }
    return members.flatMap((member, slot) => {
      if (tally.maxima[slot] === 0) return [];
      const quantiles = fractions.map((_, index) => {
        const at = slot * fractions.length + index;
        return refined?.value(at) ?? tally.middle(slot, places[at] ?? { bin: -1, left: 0 });
      });
      const average = (tally.sums[slot] ?? 0) / total;
      return [{ member, average, max: tally.maximum(slot), quantiles }];
    });
  }

  #eachTick(
    db: DatabaseSync,
    source: Source,
    column: string,
    visit: (numbers: Uint16Array | Uint32Array, codes: Uint16Array, seconds: number) => void,
  ): void {
    for (const [, seconds, count, members, bytes] of ticksOf(db, source, column)) {
      const numbers = decodeNumbers(members, count);
      visit(numbers, this.#decoder.decode(bytes, numbers.length), seconds);
    }
  }

  /** Everything that one question reads is of one moment. */
  #read<T>({ from, to }: Period, work: (db: DatabaseSync) => T): Read<T> {
    if (!(from < to)) {
      return fail({
        text: `Cannot read the history from ${from} to ${to}: that is no time at all`,
      });
    }
    try {
      const db = this.#connect();
      if (db === undefined)
        return fail({ text: `There is no history yet in ${quoted(this.#path)}` });
      db.exec('BEGIN');
      try {
        return ok(work(db));
      } finally {
        if (db.isTransaction) db.exec('ROLLBACK');
      }
    } catch (error) {
      const reason = describeSqlite(error);
      this.close();
      const text = `Cannot read the history ${quoted(this.#path)}: ${reason}`;
      return fail(isDamage(error) ? { text, damage: reason } : { text });
    }
  }

  #connect(): DatabaseSync | undefined {
    const inode = statSync(this.#path, { throwIfNoEntry: false })?.ino;
    if (this.#connection !== undefined && this.#connection.inode !== inode) this.close();
    if (inode === undefined) return undefined;
    if (this.#connection !== undefined) return this.#connection.db;
    const db = new DatabaseSync(this.#path, { readOnly: true, timeout: busyMilliseconds });
    db.exec('PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF');
    this.#connection = { db, inode };
    return db;
  }
}

interface Known {
  readonly number: number;
  readonly member: Member;
}

interface Found {
  readonly member: Member;
  readonly average: number;
  readonly max: number;
  readonly quantiles: readonly number[];
}

function membersIn(db: DatabaseSync, wanted: readonly Member[] | undefined): readonly Known[] {
  const only = wanted === undefined ? undefined : new Set(wanted);
  return db
    .prepare('SELECT number, member FROM members')
    .all()
    .map((row) => ({ number: Number(row['number']), member: row['member'] as Member }))
    .filter(({ member }) => only?.has(member) ?? true);
}

function groupsOf(members: readonly Known[]): readonly (readonly Known[])[] {
  const groups: Known[][] = [];
  for (let begin = 0; begin < members.length; begin += membersAtOnce) {
    groups.push(members.slice(begin, begin + membersAtOnce));
  }
  return groups;
}

function slotsOf(group: readonly Known[]): {
  readonly slots: Slots;
  readonly members: readonly Member[];
} {
  const most = group.reduce((max, { number }) => Math.max(max, number), 0);
  const slots = new Int32Array(most + 1).fill(-1);
  for (const [slot, { number }] of group.entries()) slots[number] = slot;
  return { slots, members: group.map(({ member }) => member) };
}

function fillIn(
  row: Partial<Record<MetricKey, Distribution>>,
  metrics: readonly MetricKey[],
): void {
  for (const metric of metrics) row[metric] ??= { average: 0, p95: 0, max: 0 };
}
