/**
 * The bounds of the record of changes. Nobody but root displaces what root and edits by hand did: the changes of others
 * have bounds of their own, and go first if the texts are too large. What went back by itself counts as others', since
 * whoever made the change chose that.
 */
import type { DatabaseSync } from 'node:sqlite';
import { singleNumber } from '../database.ts';
import { giveBack } from '../free-pages.ts';

const changesMax = 2_000;
const ofAccountMax = 200;
const ofOthersMax = 1_000;
const textsBytesMax = 32 * 2 ** 20;

const isOthers = `(coalesce(uid, 0) <> 0 OR way LIKE 'goes back%')`;

/** Deletes what is too much after the latest change was added; that one stays. */
export function pruneChanges(db: DatabaseSync): void {
  const ofAccount = '(uid <> 0 AND uid = (SELECT uid FROM changes ORDER BY number DESC LIMIT 1))';
  const deleted = [
    deleteBeyond(db, ofAccount, ofAccountMax),
    deleteBeyond(db, isOthers, ofOthersMax),
    deleteBeyond(db, 'true', changesMax),
  ];
  if (deleted.some((each) => each > 0)) deleteTexts(db);
  halve(db, isOthers, ofOthersMax);
  halve(db, 'true', changesMax);
}

/** Deletes the older half of some changes until the texts are small enough, or one is left. */
function halve(db: DatabaseSync, condition: string, most: number): void {
  let max = most;
  while (max > 1 && singleNumber(db, 'SELECT sum(length(body)) FROM texts') > textsBytesMax) {
    max = Math.floor(max / 2);
    if (deleteBeyond(db, condition, max) > 0) deleteTexts(db);
  }
}

const deleteBeyond = (db: DatabaseSync, condition: string, max: number): number =>
  Number(
    db
      .prepare(
        `DELETE FROM changes WHERE ${condition} AND number <= (SELECT number FROM changes
           WHERE ${condition} ORDER BY number DESC LIMIT 1 OFFSET ?)`,
      )
      .run(max).changes,
  );

/** Deletes texts that no change has. */
export function deleteTexts(db: DatabaseSync): void {
  db.exec(
    `DELETE FROM texts WHERE key NOT IN (SELECT text_key FROM changes)
       AND key NOT IN (SELECT before_key FROM changes WHERE before_key IS NOT NULL)`,
  );
  giveBack(db);
}
