/**
 * Chooses the rows that cover a period: ticks if they are kept and the period is at most 48 h, otherwise hours. Ticks
 * then cover time that is not rolled up, or whose hour is only partly in the period.
 *
 * An hour that is partly outside the period counts if its ticks are gone and its middle is inside. If its ticks are
 * kept, the ticks inside are used instead.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Detail, HistoryPeriod } from '../history/history-query.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import { isPartKey } from '../../usage/part-keys.ts';
import { splitKnown, type KnownColumn } from './hour-row.ts';
import { hourMilliseconds, quotedName } from './metrics-schema.ts';

/** Ids from `first` to `last`. */
interface Range {
  readonly first: number;
  readonly last: number;
}

export interface RowSource extends HistoryPeriod {
  readonly detail: Detail;
  readonly tickRanges: readonly Range[];
  readonly hourIds: readonly number[];
  readonly measuredSeconds: number;
  /** Called before each row that is read; throws if nobody waits for the answer any more. */
  readonly step: () => void;
}

const tickPeriodMax = 48 * hourMilliseconds;

interface Hour extends Range {
  readonly id: number;
  readonly hour: number;
  readonly seconds: number;
}

export function findSource(
  db: DatabaseSync,
  { from, to }: HistoryPeriod,
  step: () => void,
): RowSource {
  const kept = Number(db.prepare('SELECT min(id) AS id FROM ticks').get()?.['id'] ?? Infinity);
  const hours = hoursIn(db, from, to);
  const hasAll = hours.every(({ first }) => first >= kept);
  if (hasAll && to - from <= tickPeriodMax) {
    const tickRanges = [{ first: 0, last: Number.MAX_SAFE_INTEGER }];
    const measuredSeconds = secondsOfTicks(db, from, to, tickRanges);
    return { detail: 'ticks', from, to, tickRanges, hourIds: [], measuredSeconds, step };
  }
  const last = Number(db.prepare('SELECT max(last) AS last FROM hours').get()?.['last'] ?? 0);
  const within = ({ hour }: Hour) => hour >= from && hour + hourMilliseconds <= to;
  const middle = ({ hour }: Hour) => hour + hourMilliseconds / 2;
  const whole = hours.filter((each) =>
    each.first >= kept ? within(each) : middle(each) > from && middle(each) <= to,
  );
  const parts = hours.filter((each) => each.first >= kept && !within(each));
  const tickRanges = [...parts, { first: last + 1, last: Number.MAX_SAFE_INTEGER }];
  const measuredSeconds =
    whole.reduce((sum, { seconds }) => sum + seconds, 0) + secondsOfTicks(db, from, to, tickRanges);
  const hourIds = whole.map(({ id }) => id);
  return { detail: 'hours', from, to, tickRanges, hourIds, measuredSeconds, step };
}

function hoursIn(db: DatabaseSync, from: number, to: number): readonly Hour[] {
  const statement = db.prepare(
    'SELECT id, hour, first, last, seconds FROM hours WHERE hour > ? AND hour < ? ORDER BY hour, id',
  );
  return statement.all(from - hourMilliseconds, to).map((row) => ({
    id: Number(row['id']),
    hour: Number(row['hour']),
    first: Number(row['first']),
    last: Number(row['last']),
    seconds: Number(row['seconds']),
  }));
}

function secondsOfTicks(
  db: DatabaseSync,
  from: number,
  to: number,
  ranges: readonly Range[],
): number {
  const statement = db.prepare(
    `SELECT coalesce(sum(seconds), 0) AS seconds FROM ticks
     WHERE at > ? AND at <= ? AND id BETWEEN ? AND ?`,
  );
  return ranges.reduce(
    (sum, { first, last }) => sum + Number(statement.get(from, to, first, last)?.['seconds'] ?? 0),
    0,
  );
}

/** Returns the metrics that were unknown all the time. */
export function unknownIn(
  db: DatabaseSync,
  { from, to, tickRanges, hourIds }: RowSource,
  metrics: readonly MetricKey[],
): readonly MetricKey[] {
  const unsure = metrics.filter(isPartKey);
  if (unsure.length === 0) return [];
  const any = unsure.map((key) => `max(${quotedName(key)} IS NOT NULL)`).join(', ');
  const arrays = { returnArrays: true };
  const ofHours = db.prepare(
    `SELECT ${any} FROM hours WHERE id IN (SELECT value FROM json_each(?))`,
    arrays,
  );
  const ofTicks = db.prepare(
    `SELECT ${any} FROM ticks WHERE at > ? AND at <= ? AND id BETWEEN ? AND ?`,
    arrays,
  );
  const found = [
    ofHours.get(JSON.stringify(hourIds)),
    ...tickRanges.map(({ first, last }) => ofTicks.get(from, to, first, last)),
  ] as unknown as readonly (readonly (number | null)[] | undefined)[];
  return unsure.filter((_, index) => found.every((row) => row?.[index] !== 1));
}

/** Yields how much of each hour of a source was measured. */
export function* secondsOfHours(
  db: DatabaseSync,
  { hourIds }: RowSource,
): Generator<{ readonly hour: number; readonly seconds: number }> {
  const statement = db.prepare('SELECT hour, seconds FROM hours WHERE id = ?');
  for (const id of hourIds) {
    const row = statement.get(id);
    if (row !== undefined) yield { hour: Number(row['hour']), seconds: Number(row['seconds']) };
  }
}

/**
 * One tick: `[at, seconds, count, bytes, length, length…]`. The bytes encode its members and the columns, concatenated;
 * the lengths are in the same order, -1 for a column that is absent.
 */
export type TickSample = readonly [
  at: number,
  seconds: number,
  count: number,
  bytes: Uint8Array,
  ...lengths: number[],
];

/** Yields the ticks of a source; unless `withIdle`, without ticks in which all of the columns are zero. */
export function* ticksOf(
  db: DatabaseSync,
  source: RowSource,
  columns: readonly string[],
  withIdle: boolean,
): Generator<TickSample> {
  const parts = ['members', ...columns];
  // SQLite concatenates bytes as text, and returns them unchanged.
  const bytes = parts.map((part) => `coalesce(${part}, x'')`).join(' || ');
  const lengths = parts.map((part) => `coalesce(length(${part}), -1)`).join(', ');
  const used = columns.map((column) => `${column} IS NOT NULL`).join(' OR ');
  const statement = db.prepare(
    `SELECT at, seconds, count, CAST(${bytes} AS BLOB), ${lengths} FROM ticks
     WHERE at > ? AND at <= ? AND id BETWEEN ? AND ? ${withIdle ? '' : `AND (${used})`}
     ORDER BY at`,
    { returnArrays: true },
  );
  for (const { first, last } of source.tickRanges) {
    for (const row of statement.iterate(source.from, source.to, first, last)) {
      source.step();
      yield row as unknown as TickSample;
    }
  }
}

type HourSample = readonly [
  seconds: number,
  count: number,
  members: Uint8Array | null,
  column: Uint8Array | null,
];

/** One metric of an hour, with the seconds for which it was known. */
interface HourOf extends KnownColumn {
  readonly count: number;
  readonly members: Uint8Array | null;
}

export function* hoursOf(
  db: DatabaseSync,
  source: RowSource,
  metric: MetricKey,
): Generator<HourOf> {
  const statement = db.prepare(
    `SELECT seconds, count, members, ${quotedName(metric)} FROM hours WHERE id = ?`,
    { returnArrays: true },
  );
  for (const id of source.hourIds) {
    source.step();
    const row = statement.get(id);
    if (row === undefined) continue;
    const [seconds, count, members, bytes] = row as unknown as HourSample;
    yield { count, members, ...splitKnown(metric, bytes, seconds) };
  }
}
