/**
 * Runs history queries on its own read-only connection to `metrics.db`.
 *
 * They run for as long as they need, so the agent uses `History`, which runs them in a thread. Memory is bounded: 8 KiB
 * per member and metric, 2,000 of these at a time, whatever the period. If members are few, one pass reads many
 * metrics.
 */
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { kindOf, type Member } from '../../usage/member.ts';
import { peakKeys, type MetricKey } from '../../usage/metrics.ts';
import { isPartKey } from '../../usage/part-keys.ts';
import { addParts, replayLimit, type Replay } from '../../usage/simulate.ts';
import { Distributions, type MemberDistribution } from '../metrics/distributions.ts';
import { peakOf } from '../metrics/hour-row.ts';
import {
  fractionsMax,
  pointsMax,
  type Columns,
  type ColumnsQuery,
  type HistoryDistribution,
  type PeakQuery,
  type HistoryPeriod,
  type Maxima,
  type Quantiles,
  type QuantilesQuery,
  type Replays,
  type ReplaysQuery,
  type Series,
  type SeriesQuery,
  type UsageHistory,
  type UsageQuery,
  nobodyWaits,
} from './history-query.ts';
import { metricsFile } from '../metrics/metrics-schema.ts';
import { Recording } from '../metrics/recording.ts';
import { sampleValues } from '../metrics/sample-code.ts';
import { HourCache } from '../metrics/hour-totals.ts';
import { membersIn, slotsOf, tenantsIn, type KnownMember } from '../metrics/known-members.ts';
import { maximaOf } from '../metrics/member-maxima.ts';
import { partsOf } from '../metrics/member-parts.ts';
import { columnsOf } from '../metrics/series.ts';
import { findSource, hoursOf, unknownIn, type RowSource } from '../metrics/source.ts';
import { formatSqliteError, isDamage } from '../sqlite-error.ts';
import { TickColumns } from '../metrics/tick-columns.ts';

const membersAtOnce = 2_000;
/** The number of slots read at once; a slot is a member and metric. More would not fit into the processor's cache. */
const slotsAtOnce = 256;
/** The number of parts of members' series at once: 1,000 members over 30 days. */
const partsAtOnce = 1_000_000;
const busyMilliseconds = 1_000;

interface ReadFailure extends Problem {
  /** The damage, if the file should be set aside. */
  readonly damage?: string;
}
export type Read<T> = Result<T, ReadFailure>;

interface Connection {
  readonly db: DatabaseSync;
  /** The inode of the open file, which may have been set aside and replaced by a new one. */
  readonly inode: number;
}

/** Thrown to end a query. */
export class Stopped extends Error {}

export class HistoryReader implements Disposable {
  #hours = new HourCache();
  readonly #path: string;
  readonly #recording = new Recording();
  readonly #step: () => void;
  #connection: Connection | undefined;

  /** `step`: called before each row that is read; a query in which it throws `Stopped` fails. */
  constructor(directory: string, step = () => {}) {
    this.#step = step;
    this.#path = `${directory}/${metricsFile}`;
  }

  /** Returns the distribution of each member's usage over the period. */
  usage(query: UsageQuery): Read<UsageHistory> {
    return this.#read(query, (db) => {
      const source = findSource(db, query, this.#step);
      const rows = new Map<Member, Partial<Record<MetricKey, HistoryDistribution>>>();
      for (const group of chunksOf(membersIn(db, query.members), membersAtOnce)) {
        for (const metrics of chunksOf(query.metrics, columnsAtOnce(group))) {
          const found = this.#distribution(db, source, metrics, group, [0.95]);
          for (const { member, metric, average, max, quantiles } of found) {
            const row = rows.get(member) ?? {};
            row[metric] = { average, p95: quantiles[0] ?? 0, max };
            rows.set(member, row);
          }
        }
      }
      const unknown = unknownIn(db, source, query.metrics);
      const known = query.metrics.filter((each) => !unknown.includes(each));
      for (const [member, row] of rows) fillIn(row, knownOf(member, known));
      const { detail, measuredSeconds } = source;
      return { detail, measuredSeconds, unknown, rows };
    });
  }

  /** Returns the maximum of each member and metric, without the rest of the distribution. */
  maxima({ members: wanted, metrics, ...period }: UsageQuery): Read<Maxima> {
    return this.#read(period, (db) => {
      const source = findSource(db, period, this.#step);
      const { slots, members } = slotsOf(membersIn(db, wanted));
      const subject = { slots, count: members.length };
      const unknown = unknownIn(db, source, metrics);
      const known = metrics.filter((each) => !unknown.includes(each));
      const found = known.map(
        (metric) => [metric, maximaOf(db, source, metric, subject, this.#hours)] as const,
      );
      const rows = new Map<Member, Partial<Record<MetricKey, number>>>();
      for (const [slot, member] of members.entries()) {
        const may = knownOf(member, known);
        const own = found
          .filter(([metric]) => may.includes(metric))
          .map(([metric, maxima]) => [metric, maxima[slot] ?? 0] as const);
        if (own.some(([, max]) => max > 0)) rows.set(member, Object.fromEntries(own));
      }
      return { measuredSeconds: source.measuredSeconds, unknown, rows };
    });
  }

  quantiles(query: QuantilesQuery): Read<Quantiles> {
    const { metric, fractions } = query;
    if (fractions.length > fractionsMax) {
      return fail({
        action: `answer ${fractions.length} quantiles at once`,
        reason: `at most ${fractionsMax} are answered`,
        hint: 'ask for fewer',
      });
    }
    return this.#read(query, (db) => {
      const source = findSource(db, query, this.#step);
      return new Map(
        chunksOf(membersIn(db, query.members), membersAtOnce).flatMap((group) =>
          this.#distribution(db, source, [metric], group, fractions).map(
            ({ member, quantiles }) => [member, quantiles] as const,
          ),
        ),
      );
    });
  }

  series({ member, metric, ...rest }: SeriesQuery): Read<Series> {
    const found = this.columns({ ...rest, of: member, metrics: [metric] });
    if (!found.ok) return found;
    const { seconds, metrics } = found.value;
    const { averages = [], maxima = [] } = metrics.get(metric) ?? {};
    return ok({ averages, maxima, seconds });
  }

  /** Returns several metrics in equal parts of a period, read in one pass. */
  columns(query: ColumnsQuery): Read<Columns> {
    const { points, of } = query;
    const wrong = divisionProblem(points);
    if (wrong !== undefined) return fail(wrong);
    return this.#read(query, (db) => {
      const known = of === 'tenants' ? tenantsIn(db) : membersIn(db, [of]);
      const { slots } = slotsOf(known);
      const subject = {
        slots,
        isSum: of === 'tenants',
        known: of === 'tenants' ? query.metrics : knownOf(of, query.metrics),
      };
      return columnsOf(db, findSource(db, query, this.#step), query, subject, this.#hours);
    });
  }

  /** Replays each member's usage against its limit; maxima are raised to peaks between ticks. */
  replays(query: ReplaysQuery): Read<Replays> {
    const { limits, points, metric, plus } = query;
    const wrong = divisionProblem(points);
    if (wrong !== undefined) return fail(wrong);
    return this.#read(query, (db) => {
      const source = findSource(db, query, this.#step);
      const replays = new Map<Member, Replay>();
      const peak = peakKeys.get(metric);
      const atOnce = Math.max(1, Math.floor(partsAtOnce / points));
      for (const group of chunksOf([...limits], atOnce)) {
        const known = membersIn(
          db,
          group.map(([member]) => member),
        );
        const { slots, members } = slotsOf(known);
        // The last slot is for members that were never busy.
        const subject = { slots, count: members.length + 1 };
        const own = partsOf(db, source, query, subject, this.#hours);
        const peaks = peak && partsOf(db, source, { ...query, metric: peak }, subject, this.#hours);
        const added = plus && partsOf(db, source, { ...query, metric: plus }, subject, this.#hours);
        const slotBy = new Map(members.map((member, slot) => [member, slot]));
        for (const [member, limit] of group) {
          const slot = slotBy.get(member) ?? members.length;
          const { maxima, ...recorded } = own.recorded(slot);
          const raised = peaks?.recorded(slot).maxima;
          const both = raised
            ? maxima.map((max, part) => Math.max(max, raised[part] ?? NaN))
            : maxima;
          const parts = { ...recorded, maxima: both };
          const sum = added === undefined ? parts : addParts(parts, added.recorded(slot));
          replays.set(member, replayLimit(sum, limit));
        }
      }
      return replays;
    });
  }

  /** Returns the maximum that all tenants used together in one tick. */
  peakTotal(query: PeakQuery): Read<number> {
    return this.#read(query, (db) => {
      const source = findSource(db, query, this.#step);
      let peak = 0;
      for (const { bytes } of hoursOf(db, source, query.metric)) {
        if (bytes !== null) peak = Math.max(peak, peakOf(bytes));
      }
      const { slots } = slotsOf(tenantsIn(db));
      for (const tick of new TickColumns([query.metric], slots).over(db, source)) {
        const codes = tick.codes(0);
        let total = 0;
        for (let each = 0; each < tick.present; each++) {
          total += sampleValues[codes[each] ?? 0] ?? 0;
        }
        peak = Math.max(peak, total);
      }
      return peak;
    });
  }

  close(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#hours = new HourCache();
    connection?.db.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #distribution(
    db: DatabaseSync,
    source: RowSource,
    metrics: readonly MetricKey[],
    group: readonly KnownMember[],
    fractions: readonly number[],
  ): readonly MemberDistribution[] {
    const subject = { ...slotsOf(group), metrics };
    return new Distributions(db, source, subject, this.#recording).find(fractions);
  }

  get #what() {
    return { action: 'read the history', object: this.#path };
  }

  /** Reads for one query, from a consistent snapshot. */
  #read<T>({ from, to }: HistoryPeriod, work: (db: DatabaseSync) => T): Read<T> {
    if (!(from < to)) {
      return fail({
        action: `read the history from ${from} to ${to}`,
        reason: 'the period is empty',
      });
    }
    try {
      const db = this.#connect();
      if (db === undefined) return fail({ ...this.#what, reason: 'there is none yet' });
      db.exec('BEGIN');
      try {
        return ok(work(db));
      } finally {
        if (db.isTransaction) db.exec('ROLLBACK');
      }
    } catch (error) {
      if (error instanceof Stopped) return fail(nobodyWaits);
      const reason = formatSqliteError(error);
      this.close();
      const problem = { ...this.#what, reason };
      return fail(isDamage(error) ? { ...problem, damage: reason } : problem);
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

function divisionProblem(points: number): Problem | undefined {
  if (Number.isInteger(points) && points >= 1 && points <= pointsMax) return undefined;
  return {
    action: `divide a period into ${points} parts`,
    reason: `there can be 1 to ${pointsMax}`,
  };
}

function chunksOf<T>(all: readonly T[], max: number): readonly (readonly T[])[] {
  const chunks: T[][] = [];
  for (let begin = 0; begin < all.length; begin += max) {
    chunks.push(all.slice(begin, begin + max));
  }
  return chunks;
}

const columnsAtOnce = (group: readonly KnownMember[]) =>
  Math.max(1, Math.floor(slotsAtOnce / group.length));

/** Returns the metrics that a member can have: database servers know nothing of sites. */
const knownOf = (member: Member, metrics: readonly MetricKey[]): readonly MetricKey[] =>
  kindOf(member) === 'site' ? metrics.filter((each) => !isPartKey(each)) : metrics;

function fillIn(
  row: Partial<Record<MetricKey, HistoryDistribution>>,
  metrics: readonly MetricKey[],
): void {
  for (const metric of metrics) row[metric] ??= { average: 0, p95: 0, max: 0 };
}
