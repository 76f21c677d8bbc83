/**
 * The tables of `metrics.db`.
 *
 * Ticks have their own ids, ascending from 1 in the order in which they were written, independent of the wall clock. A
 * clock that repeats or goes back causes neither collisions nor losses. Times are an additional index. An hour that the
 * clock passed twice has the ticks of both, and more measured seconds than an hour has.
 *
 * A row of `hours` rolls up a run of ticks, `first` to `last`, that ended in the same hour. Every tick
 * is in one run: the ticks after the greatest `last` are not rolled up yet. A clock that went back
 * results in a second row for the same hour.
 *
 * A tick belongs to the period (from, to] when it ended in it, and to an hour likewise.
 */
import type { DatabaseSync } from 'node:sqlite';
import { metricKeys } from '../../usage/metrics.ts';
import type { Migration } from '../database.ts';

export const metricsFile = 'metrics.db';
export const hourMilliseconds = 3_600_000;

/** Returns the beginning of the hour that a tick belongs to. */
export const hourOf = (at: number) => (Math.ceil(at / hourMilliseconds) - 1) * hourMilliseconds;

export const metricsMigrations: readonly Migration[] = [
  `CREATE TABLE members (number INTEGER PRIMARY KEY, member TEXT NOT NULL UNIQUE, seen INTEGER NOT NULL);
   CREATE TABLE ticks (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, seconds REAL NOT NULL,
     count INTEGER NOT NULL, members BLOB);
   CREATE INDEX ticks_at ON ticks (at);
   CREATE TABLE hours (id INTEGER PRIMARY KEY, hour INTEGER NOT NULL, first INTEGER NOT NULL,
     last INTEGER NOT NULL, seconds REAL NOT NULL, ticks INTEGER NOT NULL, count INTEGER NOT NULL,
     members BLOB);
   CREATE INDEX hours_hour ON hours (hour);
   CREATE INDEX hours_last ON hours (last);`,
];

export const quotedName = (name: string) => `"${name.replaceAll('"', '""')}"`;
export const metricColumns = metricKeys.map(quotedName);

/** Adds missing columns: a metric is a column of both tables, also a new metric. */
export function addMetricColumns(db: DatabaseSync): void {
  for (const table of ['ticks', 'hours']) {
    const rows = db.prepare('SELECT name FROM pragma_table_info(?)').all(table);
    const present = new Set(rows.map(({ name }) => name));
    for (const key of metricKeys) {
      if (!present.has(key)) db.exec(`ALTER TABLE ${table} ADD COLUMN ${quotedName(key)} BLOB`);
    }
  }
}
