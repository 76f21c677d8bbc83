/**
 * The tables of `metrics.db`.
 *
 * Ticks have ids of their own, ascending from 1 in the order in which they were written, whatever
 * the wall clock says; a clock that repeats or goes back neither collides nor loses anything. Times
 * are an index beside that. An hour that the clock went through twice has ticks of both, and more
 * measured seconds than an hour has.
 *
 * A row of `hours` sums up a run of ticks, `first` to `last`, whose ends lie in the same hour. Every
 * tick is in one run: the ticks after the greatest `last` are those not summed up yet. A clock that
 * went back makes another row for an hour that has one.
 *
 * A tick belongs to the period (from, to] when it ended in it, and to an hour likewise.
 */
import type { DatabaseSync } from 'node:sqlite';
import { metricKeys } from '../../usage/metrics.ts';
import type { Migration } from '../database.ts';

export const metricsFile = 'metrics.db';
export const hourMilliseconds = 3_600_000;

/** The beginning of the hour that a tick belongs to. */
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

/** A metric is a column of both; one that is new in this version gets its columns here. */
export function addMetricColumns(db: DatabaseSync): void {
  for (const table of ['ticks', 'hours']) {
    const rows = db.prepare('SELECT name FROM pragma_table_info(?)').all(table);
    const present = new Set(rows.map(({ name }) => name));
    for (const key of metricKeys) {
      if (!present.has(key)) db.exec(`ALTER TABLE ${table} ADD COLUMN ${quotedName(key)} BLOB`);
    }
  }
}
