/** Space in a database file: shows how much is used, and releases the rest. */
import type { DatabaseSync } from 'node:sqlite';
import { singleNumber } from './database.ts';

const pagesMax = 64;
/** The share of a file that may be free: space of deleted rows is kept for new ones. */
const freeShareMax = 1 / 8;
const fewPages = 64;

function pagesOf(db: DatabaseSync) {
  return {
    all: singleNumber(db, 'PRAGMA page_count'),
    free: singleNumber(db, 'PRAGMA freelist_count'),
    bytes: singleNumber(db, 'PRAGMA page_size'),
  };
}

export function usedBytes(db: DatabaseSync): number {
  const { all, free, bytes } = pagesOf(db);
  return (all - free) * bytes;
}

/** Returns unused pages to the file system, 64 at a time. */
export function giveBack(db: DatabaseSync): void {
  const { all, free } = pagesOf(db);
  if (free <= Math.max(fewPages, all * freeShareMax)) return;
  db.exec(`PRAGMA incremental_vacuum(${pagesMax})`);
}
