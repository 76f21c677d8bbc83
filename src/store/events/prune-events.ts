/**
 * Deletes old events, in batches so small that no agent tick is late. It deletes by age. If there is too much data, it
 * deletes evidence before incidents and incidents before faults, the oldest first.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { HistorySettings } from '../../policy/settings.ts';
import { slotMilliseconds } from './events-schema.ts';
import { giveBack, usedBytes } from '../free-pages.ts';

/** The number of incidents per batch. Their evidence, ten times as many rows, is deleted with them. */
const rowsMax = 50;

export interface PruneEventsStatements {
  readonly db: DatabaseSync;
  readonly aged: readonly { readonly statement: StatementSync; readonly unit: number }[];
  readonly surplus: readonly StatementSync[];
}

export function preparePruneEvents(db: DatabaseSync): PruneEventsStatements {
  const aged = (table: string, key: string, time: string) =>
    db.prepare(
      `DELETE FROM ${table} WHERE (${key}) IN
         (SELECT ${key} FROM ${table} WHERE ${time} < ? ORDER BY ${time} LIMIT ${rowsMax})`,
    );
  const oldest = (table: string, key: string) =>
    db.prepare(
      `DELETE FROM ${table} WHERE (${key}) IN
         (SELECT ${key} FROM ${table} ORDER BY ${key} LIMIT ${rowsMax})`,
    );
  return {
    db,
    aged: [
      { statement: aged('incidents', 'id', 'end_at'), unit: 1 },
      { statement: aged('faults', 'slot, member, limit_key', 'slot'), unit: slotMilliseconds },
      { statement: aged('alerts', 'key', 'at'), unit: 1 },
    ],
    surplus: [
      oldest('snapshots', 'id'),
      oldest('incidents', 'id'),
      oldest('faults', 'slot, member, limit_key'),
    ],
  };
}

export function pruneEvents(
  { db, aged, surplus }: PruneEventsStatements,
  now: number,
  isSteady: boolean,
  { incidentsMilliseconds }: HistorySettings,
  bytesMax: number,
): void {
  if (isSteady) {
    const time = now - incidentsMilliseconds;
    for (const { statement, unit } of aged) statement.run(Math.floor(time / unit));
  }
  if (usedBytes(db) > bytesMax) surplus.find((statement) => statement.run().changes > 0);
  giveBack(db);
}
