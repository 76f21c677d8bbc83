/**
 * A self-maintaining SQLite file: history must never be the reason why the agent stops.
 *
 * - It is opened on first use, and again after a failure that may have broken the connection.
 * - It is opened again if another program has removed or replaced it: writes to a removed file would
 *   be lost unnoticed.
 * - A file that is damaged or of a newer version is renamed and replaced by a new one, with a note.
 * - `PRAGMA user_version` counts the migrations that were applied, each in a transaction of its own.
 * - Failures are returned as values. An exception is a defect.
 *
 * Two programs must not write the same file, which the agent's lock prevents. Memory is bounded by the
 * page cache of 2 MiB. The file is not mapped: truncating a mapped file kills its readers.
 */
import { DatabaseSync } from 'node:sqlite';
import { statSync } from 'node:fs';
import { quoted } from '../../packages/base/io/errno.ts';
import { failed, type Cause, type Problem } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { ensurePrivateDirectory, ensurePrivateFile } from '../sys/files/private-file.ts';
import { setAside, type SetAsideReason } from './set-aside.ts';
import { formatSqliteError, isDamage, isSqliteError, leavesOpen } from './sqlite-error.ts';

export type Migration = string | ((db: DatabaseSync) => void);

interface DatabaseOptions<Statements> {
  readonly directory: string;
  /** The file name: `metrics.db`. */
  readonly name: string;
  /** Its name in messages: `history`. */
  readonly title: string;
  /** `FULL`: committed data survives a power failure; `NORMAL`: only a crash of the agent. */
  readonly synchronous: 'NORMAL' | 'FULL';
  readonly pageBytes: number;
  /** The migrations; a file's version is the number of them that were applied. Never changed, only extended. */
  readonly migrations: readonly Migration[];
  /** Called at every opening, after the migrations. */
  readonly prepare: (db: DatabaseSync) => Statements;
}

export interface Open<Statements> {
  readonly db: DatabaseSync;
  readonly statements: Statements;
}

/** The size up to which a file that was not closed properly is checked; for a larger one that would take seconds. */
const checkedBytesMax = 64 * 2 ** 20;
const notesMax = 16;
const busyMilliseconds = 100;
const logBytes = 8 * 2 ** 20;

export class Database<Statements> implements Disposable {
  readonly path: string;
  readonly #options: DatabaseOptions<Statements>;
  #open: Open<Statements> | undefined;
  /** The inode of the open file, which another program may have removed or replaced. */
  #inode = 0;
  #notes: string[] = [];
  #transaction: { failure: unknown } | undefined;
  #isDisposed = false;

  constructor(options: DatabaseOptions<Statements>) {
    this.#options = options;
    this.path = `${options.directory}/${options.name}`;
  }

  /** Returns events about the file to log, each once; the last 16. */
  takeNotes(): readonly string[] {
    const notes = this.#notes;
    this.#notes = [];
    return notes;
  }

  /** Returns bytes on disk, including the write-ahead log; 0 if there is no file. */
  bytes(): number {
    return sizeOf(this.path) + sizeOf(`${this.path}-wal`);
  }

  /**
   * Does `work`, and once more on a new file if the old one turns out to be damaged. `action` is the action that a
   * problem names: `write the history`.
   */
  run<T>(action: string, work: (open: Open<Statements>) => T): Result<T, Problem> {
    const first = this.#attempt(action, work);
    if (first.ok || this.#transaction !== undefined || !isDamage(first.error.thrown)) {
      return first.ok ? first : fail(first.error.problem);
    }
    const aside = this.setAsideDamaged(formatSqliteError(first.error.thrown));
    if (!aside.ok) return aside;
    const second = this.#attempt(action, work);
    return second.ok ? second : fail(second.error.problem);
  }

  /**
   * Writes all that `work` writes, or nothing. If one `run` within it fails, the whole transaction fails. Within
   * another transaction it becomes a part of that one. `work` runs twice if the file turns out to be damaged, the
   * second time on a new one.
   */
  transaction<T>(action: string, work: () => T): Result<T, Problem> {
    if (this.#transaction !== undefined) return ok(work());
    return this.run(action, ({ db }) => {
      const transaction: { failure: unknown } = { failure: undefined };
      db.exec('BEGIN IMMEDIATE');
      this.#transaction = transaction;
      try {
        const value = work();
        if (transaction.failure !== undefined) throw transaction.failure;
        db.exec('COMMIT');
        return value;
      } finally {
        this.#transaction = undefined;
        if (db.isOpen && db.isTransaction) db.exec('ROLLBACK');
      }
    });
  }

  /** Renames the file and starts a new one. */
  setAsideDamaged(reason: string): Result<void, Problem> {
    this.close();
    return this.#setAside('damaged', reason);
  }

  close(): void {
    const open = this.#open;
    this.#open = undefined;
    closeQuietly(open?.db);
  }

  [Symbol.dispose](): void {
    this.close();
    this.#isDisposed = true;
  }

  #attempt<T>(action: string, work: (open: Open<Statements>) => T): Result<T, FailedAttempt> {
    // SQLite may have ended a failed transaction; later statements would then be committed separately.
    if (this.#transaction?.failure !== undefined) {
      return fail({
        problem: {
          action,
          object: this.path,
          reason: formatSqliteError(this.#transaction.failure),
        },
        thrown: undefined,
      });
    }
    const open = this.#ensureOpen();
    if (!open.ok) return fail({ problem: open.error, thrown: undefined });
    try {
      return ok(work(open.value));
    } catch (error) {
      const problem = { action, object: this.path, reason: formatSqliteError(error) };
      if (this.#transaction !== undefined) this.#transaction.failure = error;
      else if (!leavesOpen(error)) this.close();
      return fail({ problem, thrown: error });
    }
  }

  #ensureOpen(): Result<Open<Statements>, Problem> {
    if (this.#isDisposed) throw new Error(`${this.path} was used after it was closed`);
    if (this.#open !== undefined) {
      if (this.#transaction !== undefined || inodeOf(this.path) === this.#inode) {
        return ok(this.#open);
      }
      this.close();
    }
    const { directory } = this.#options;
    const place = ensurePrivateDirectory(directory);
    if (!place.ok) return fail(place.error);
    for (let attempt = 0; ; attempt++) {
      const file = ensurePrivateFile(this.path);
      if (!file.ok) return fail(file.error);
      const opened = this.#tryOpen();
      if (opened.ok) {
        this.#open = opened.value;
        this.#inode = inodeOf(this.path);
        return opened;
      }
      const { mark, reason } = opened.error;
      if (mark === undefined || attempt > 0) {
        return failed({ action: `open the ${this.#options.title}`, object: this.path, reason });
      }
      const aside = this.#setAside(mark, reason);
      if (!aside.ok) return aside;
    }
  }

  #tryOpen(): Result<
    Open<Statements>,
    { readonly mark?: SetAsideReason; readonly reason: string }
  > {
    let db: DatabaseSync | undefined;
    try {
      const wasClosed = sizeOf(`${this.path}-wal`) === 0;
      db = new DatabaseSync(this.path, { timeout: busyMilliseconds, allowExtension: false });
      const newer = this.#configure(db);
      if (newer !== undefined) {
        closeQuietly(db);
        return fail({
          mark: `version-${newer}`,
          reason: `it is of version ${newer}, newer than this program`,
        });
      }
      if (!wasClosed && sizeOf(this.path) <= checkedBytesMax) check(db);
      return ok({ db, statements: this.#options.prepare(db) });
    } catch (error) {
      closeQuietly(db);
      const reason = formatSqliteError(error);
      return fail(isDamage(error) || isForeign(error) ? { mark: 'damaged', reason } : { reason });
    }
  }

  /** Returns the version of a file that is newer than this program, and leaves it as it is. */
  #configure(db: DatabaseSync): number | undefined {
    const { migrations, synchronous, pageBytes } = this.#options;
    const version = singleNumber(db, 'PRAGMA user_version');
    if (version > migrations.length) return version;
    // Both take effect only on an empty file, before it has a write-ahead log.
    db.exec(`PRAGMA page_size = ${pageBytes}; PRAGMA auto_vacuum = INCREMENTAL`);
    db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`);
    db.exec(`PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY`);
    db.exec(`PRAGMA journal_size_limit = ${logBytes}; PRAGMA trusted_schema = OFF`);
    for (const [index, migration] of migrations.entries()) {
      if (index >= version) migrate(db, migration, index + 1);
    }
    return undefined;
  }

  #setAside(mark: SetAsideReason, reason: string): Result<void, Problem> {
    const { directory, name, title } = this.#options;
    const aside = setAside(directory, name, mark, Date.now());
    if (!aside.ok) {
      const cause: Cause = { ...aside.error, reason: `${reason}, and ${aside.error.reason}` };
      return failed({ action: 'set aside', object: this.path, ...cause });
    }
    this.#note(
      `The ${title} ${quoted(this.path)} was replaced by a new one, since ${reason}; kept as "${aside.value}"`,
    );
    return ok(undefined);
  }

  #note(text: string): void {
    this.#notes = [...this.#notes, text].slice(-notesMax);
  }
}

interface FailedAttempt {
  readonly problem: Problem;
  /** The error that SQLite threw, if it was this attempt that failed. */
  readonly thrown: unknown;
}

function migrate(db: DatabaseSync, migration: Migration, version: number): void {
  db.exec('BEGIN IMMEDIATE');
  try {
    if (typeof migration === 'string') db.exec(migration);
    else migration(db);
    db.exec(`PRAGMA user_version = ${version}`);
    db.exec('COMMIT');
  } finally {
    if (db.isTransaction) db.exec('ROLLBACK');
  }
}

/** Throws the error that SQLite throws when it finds damage itself. */
function check(db: DatabaseSync): void {
  const [row] = db.prepare('PRAGMA quick_check(1)').all();
  const [verdict] = Object.values(row ?? {});
  if (verdict !== 'ok')
    throw Object.assign(new Error(String(verdict)), { errcode: 11, errstr: '' });
}

/** Whether a table that we need is missing or exists already: then it is not our file, regardless of its version. */
const isForeign = (error: unknown) => isSqliteError(error) && error.errcode === 1;

/** Returns the single number that a statement returns; 0 if it returns none. */
export function singleNumber(db: DatabaseSync, sql: string): number {
  const [value] = Object.values(db.prepare(sql).get() ?? {});
  return typeof value === 'number' ? value : 0;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

const inodeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.ino ?? 0;

function closeQuietly(db: DatabaseSync | undefined): void {
  try {
    if (db?.isOpen === true) db.close();
  } catch (error) {
    if (!isSqliteError(error)) throw error;
  }
}
