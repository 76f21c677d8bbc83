/**
 * Deletes old ticks and hours, in batches so small that no agent tick is late.
 *
 * Only rolled-up ticks are deleted, in the order of their ids, so the rest is always complete from some time on.
 * Nothing is deleted by age while the clock is not steady. A tick as far in the future as the oldest may be in the past
 * was written under a wrong clock, and is deleted, too.
 *
 * If there is too much data, ticks are deleted before hours, but the last 720 stay while there are hours. The last hour
 * always stays, since it marks the last rolled-up tick.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { HistorySettings } from '../../policy/settings.ts';
import { giveBack, usedBytes } from '../free-pages.ts';
import type { Registry } from '../registry.ts';

const ticksMax = 100;
const hoursMax = 4;
const membersMax = 200;
const lastTicks = 720;
const day = 86_400_000;

export interface PruneStatements {
  readonly db: DatabaseSync;
  readonly edges: StatementSync;
  readonly oldestTicks: StatementSync;
  readonly deleteTicks: StatementSync;
  readonly oldestHours: StatementSync;
  readonly deleteHours: StatementSync;
}

export function preparePrune(db: DatabaseSync): PruneStatements {
  return {
    db,
    edges: db.prepare(
      `SELECT coalesce((SELECT max(id) FROM ticks), 0) AS last,
         coalesce((SELECT max(last) FROM hours), 0) AS watermark`,
    ),
    oldestTicks: db.prepare(`SELECT id, at FROM ticks WHERE id <= ? ORDER BY id LIMIT ${ticksMax}`),
    deleteTicks: db.prepare('DELETE FROM ticks WHERE id <= ?'),
    oldestHours: db.prepare(
      `SELECT id, hour FROM hours WHERE id < (SELECT max(id) FROM hours) ORDER BY id LIMIT ${hoursMax}`,
    ),
    deleteHours: db.prepare('DELETE FROM hours WHERE id <= ?'),
  };
}

interface Row {
  readonly id: number;
  readonly at: number;
}

/** Does one batch of the work. */
export function pruneMetrics(
  statements: PruneStatements,
  registry: Registry,
  now: number,
  isSteady: boolean,
  settings: HistorySettings,
  bytesMax: number,
): void {
  if (isSteady) pruneByAge(statements, registry, now, settings);
  if (usedBytes(statements.db) > bytesMax) shrink(statements);
  giveBack(statements.db);
}

function pruneByAge(
  statements: PruneStatements,
  registry: Registry,
  now: number,
  { detailMilliseconds, summaryMilliseconds }: HistorySettings,
): void {
  const isStale = ({ at }: Row) => Math.abs(now - at) > detailMilliseconds;
  deleteLeading(
    statements.deleteTicks,
    ticksUpTo(statements, edgesOf(statements).watermark),
    isStale,
  );
  const isOld = ({ at }: Row) => now - at > summaryMilliseconds;
  deleteLeading(statements.deleteHours, hours(statements), isOld);
  const kept = Math.max(detailMilliseconds, summaryMilliseconds);
  registry.forget(now - kept - day, membersMax);
}

function shrink(statements: PruneStatements): void {
  const { last, watermark } = edgesOf(statements);
  const all = () => true;
  const spare = ticksUpTo(statements, Math.min(watermark, last - lastTicks));
  if (deleteLeading(statements.deleteTicks, spare, all)) return;
  if (deleteLeading(statements.deleteHours, hours(statements), all)) return;
  deleteLeading(statements.deleteTicks, ticksUpTo(statements, last - 1), all);
}

/** Deletes the rows before the first that may stay; returns whether there were any. */
function deleteLeading(
  statement: StatementSync,
  rows: readonly Row[],
  mayGo: (row: Row) => boolean,
): boolean {
  const stays = rows.findIndex((row) => !mayGo(row));
  const gone = rows[(stays === -1 ? rows.length : stays) - 1];
  if (gone === undefined) return false;
  statement.run(gone.id);
  return true;
}

function edgesOf({ edges }: PruneStatements) {
  const row = edges.get() ?? {};
  const number = (name: string) => Number(row[name] ?? 0);
  return { last: number('last'), watermark: number('watermark') };
}

const ticksUpTo = ({ oldestTicks }: PruneStatements, id: number) =>
  oldestTicks.all(id).map((row): Row => ({ id: Number(row['id']), at: Number(row['at']) }));

const hours = ({ oldestHours }: PruneStatements) =>
  oldestHours.all().map((row): Row => ({ id: Number(row['id']), at: Number(row['hour']) }));
