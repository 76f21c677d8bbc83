/**
 * The tables of `changes.db`: logins to the console, the changes of the policy, and every text that it had, compressed by zstd and keyed by
 * its SHA-256. Rows are added; only a change's outcome is updated. Numbers are never reused.
 */
import type { DatabaseSync } from 'node:sqlite';
import { Database, type Migration } from '../database.ts';

export const changesFile = 'changes.db';

const changesMigrations: readonly Migration[] = [
  `CREATE TABLE changes (number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,
     file TEXT NOT NULL, before_key TEXT, text_key TEXT NOT NULL, way TEXT NOT NULL, uid INTEGER,
     user TEXT, remark TEXT, changed TEXT, outcome TEXT NOT NULL, outcome_at INTEGER NOT NULL,
     problems TEXT NOT NULL);
   CREATE INDEX changes_at ON changes (at);
   CREATE INDEX changes_before ON changes (before_key);
   CREATE INDEX changes_text ON changes (text_key);
   CREATE TABLE texts (key TEXT PRIMARY KEY, body BLOB NOT NULL);`,
  `ALTER TABLE changes ADD COLUMN session TEXT;
   ALTER TABLE changes ADD COLUMN login_by TEXT;
   ALTER TABLE changes ADD COLUMN comment TEXT;`,
  `CREATE TABLE logins (number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, kind TEXT NOT NULL,
     session TEXT, user TEXT, uid INTEGER, by_user TEXT, read_only INTEGER, count INTEGER);
   CREATE INDEX logins_at ON logins (at);
   CREATE INDEX logins_uid ON logins (uid, number);`,
];

/** Opens the file in a directory with the statements of one of its tables. */
export const openChanges = <Statements>(
  directory: string,
  prepare: (db: DatabaseSync) => Statements,
): Database<Statements> =>
  new Database<Statements>({
    directory,
    name: changesFile,
    title: 'record of changes',
    synchronous: 'FULL',
    pageBytes: 4_096,
    migrations: changesMigrations,
    prepare,
  });
