/**
 * Changes several files of the host as one, and has a program accept them: all of it, or nothing.
 *
 * A journal is written first and removed last. It has the contents of before and after. So a run that was killed at any
 * instant leaves either no trace or a journal, by which the next run undoes the change (`undoUnfinished`). If somebody
 * has changed one of the files since, all of them stay as they are.
 *
 *     /var/lib/bulkhead/web-entries-nginx.journal
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { lockFile, type FileLock } from './flock.ts';
import {
  contentAfter,
  putHostFile,
  readHostFile,
  sameBytes,
  type FileContent,
  type HostFile,
} from './host-file.ts';
import { decodeText } from '../../../packages/base/io/regular-file.ts';
import { readTextFile } from './text-file.ts';

export interface FileChange extends HostFile {
  /** The text by which the change was planned; undefined if there was no file. */
  readonly before: string | undefined;
  /** The wanted text; undefined if the file is to be removed. */
  readonly after: string | undefined;
}

/** A file of the journal. */
interface Entry {
  readonly file: HostFile;
  readonly before: FileContent | undefined;
  readonly after: FileContent | undefined;
}

/** Long enough for another command that has a web server accept its files. */
const lockWaitMs = 120_000;

export class FileTransaction implements Disposable {
  readonly #journal: string;
  readonly #entries: readonly Entry[];
  readonly #lock: FileLock;

  /** Begins the change: from then on it can be undone. The files themselves are written by `write`. */
  static begin(journal: string, changes: readonly FileChange[]): Result<FileTransaction, Problem> {
    const locked = lockJournal(journal);
    if (!locked.ok) return locked;
    const prepared = prepare(journal, changes);
    if (prepared.ok) return ok(new FileTransaction(journal, prepared.value, locked.value));
    locked.value.release();
    return prepared;
  }

  private constructor(journal: string, entries: readonly Entry[], lock: FileLock) {
    this.#journal = journal;
    this.#entries = entries;
    this.#lock = lock;
  }

  /** Writes all files. If one cannot be written, those before it are restored. */
  write(): Result<void, Problem> {
    for (const { file, after } of this.#entries) {
      const written = putHostFile(file, after);
      if (written.ok) continue;
      const restored = this.rollback();
      return restored.ok ? written : restored;
    }
    return ok(undefined);
  }

  /** Ends the change: the files stay as they are now. */
  commit(): Result<void, Problem> {
    return removeJournal(this.#journal);
  }

  /** Restores the files, the last one first, and ends. Goes on after a failure, and returns the first one. */
  rollback(): Result<void, Problem> {
    const restored = restore(this.#entries);
    return restored.ok ? this.commit() : restored;
  }

  /** Releases the lock. Without an end, the next run undoes the change. */
  [Symbol.dispose](): void {
    this.#lock.release();
  }
}

/** Writes all files, and runs `accept`. If that fails, the files are as before when this returns. */
export async function changeFiles<T>(
  journal: string,
  changes: readonly FileChange[],
  accept: () => Promise<Result<T, Problem>>,
): Promise<Result<T, Problem>> {
  const begun = FileTransaction.begin(journal, changes);
  if (!begun.ok) return begun;
  using transaction = begun.value;
  const written = transaction.write();
  if (!written.ok) return written;
  const accepted = await accept();
  if (accepted.ok) {
    const ended = transaction.commit();
    return ended.ok ? accepted : ended;
  }
  const restored = transaction.rollback();
  return restored.ok ? accepted : restored;
}

/** Whether a killed run has left something that `undoUnfinished` undoes. */
export const isUnfinished = (journal: string): boolean => existsSync(journal);

/**
 * Undoes what a killed run has begun. Returns whether there was anything: then programs may still work with the files of
 * that run.
 */
export function undoUnfinished(journal: string): Result<boolean, Problem> {
  if (!isUnfinished(journal)) return ok(false);
  const locked = lockJournal(journal);
  if (!locked.ok) return locked;
  using _lock = locked.value;
  return undoLocked(journal);
}

function lockJournal(journal: string): Result<FileLock, Problem> {
  const directory = dirname(journal);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ action: 'create the directory', object: directory, ...causeOf(error) });
  }
  return lockFile(`${journal}.lock`, { waitMs: lockWaitMs });
}

function prepare(
  journal: string,
  changes: readonly FileChange[],
): Result<readonly Entry[], Problem> {
  const undone = undoLocked(journal);
  if (!undone.ok) return undone;
  const entries: Entry[] = [];
  for (const { before: planned, after: wanted, ...file } of changes) {
    const read = readHostFile(file);
    if (!read.ok) return read;
    const before = read.value;
    if ((before && decodeText(before.bytes)) !== planned)
      return failed({
        action: wanted === undefined ? 'remove' : 'write',
        object: file.path,
        reason: 'another program changed it meanwhile',
        hint: 'run the command again',
      });
    const after = wanted === undefined ? undefined : contentAfter(before, wanted, file.newMode);
    entries.push({ file, before, after });
  }
  const written = writeJournal(journal, entries);
  return written.ok ? ok(entries) : written;
}

/** Undoes what the journal has, and removes it. The caller has the lock. */
function undoLocked(journal: string): Result<boolean, Problem> {
  const entries = readJournal(journal);
  if (!entries.ok) return entries;
  if (entries.value === undefined) return ok(false);
  const written: Entry[] = [];
  let isChanged = false;
  for (const entry of entries.value) {
    const now = readHostFile(entry.file);
    if (!now.ok) return unfinished(journal, now.error);
    if (sameBytes(now.value, entry.before)) continue;
    if (sameBytes(now.value, entry.after)) written.push(entry);
    else isChanged = true;
  }
  const restored = isChanged ? ok(undefined) : restore(written);
  if (!restored.ok) return unfinished(journal, restored.error);
  const removed = removeJournal(journal);
  return removed.ok ? ok(true) : removed;
}

const unfinished = (journal: string, problem: Problem) =>
  failed({
    ...problem,
    reason: `${problem.reason}; a change of it was interrupted, and has to be undone first`,
    hint: `correct that, or remove ${journal} to leave the files as they are`,
  });

/** Restores the files, the last one first. What is as before is not written: a full disk would not let it be. */
function restore(entries: readonly Entry[]): Result<void, Problem> {
  const results = entries.toReversed().map(({ file, before }) => {
    const now = readHostFile(file);
    return now.ok && isDeepStrictEqual(now.value, before)
      ? ok(undefined)
      : putHostFile(file, before);
  });
  return results.find((each) => !each.ok) ?? ok(undefined);
}

const journalFile = (path: string): HostFile => ({ path, links: 'follow' });

const removeJournal = (path: string): Result<void, Problem> =>
  putHostFile(journalFile(path), undefined);

type Stored = Omit<FileContent, 'bytes'> & { readonly base64: string };

function writeJournal(path: string, entries: readonly Entry[]): Result<void, Problem> {
  const stored = (content: FileContent | undefined): Stored | undefined => {
    if (content === undefined) return undefined;
    const { bytes, ...rest } = content;
    return { ...rest, base64: Buffer.from(bytes).toString('base64') };
  };
  const text = JSON.stringify(
    entries.map(({ file, before, after }) => ({
      file,
      before: stored(before),
      after: stored(after),
    })),
  );
  return putHostFile(journalFile(path), { bytes: Buffer.from(`${text}\n`), mode: 0o600 });
}

/** More than the files of a transaction together, which base64 makes longer. */
const journalFormat = {
  bytesMax: 256 * 2 ** 20,
  decode: (bytes: Uint8Array) => ok(decodeText(bytes)),
};

function readJournal(path: string): Result<readonly Entry[] | undefined, Problem> {
  const read = readTextFile(path, journalFormat, 'trusted');
  if (!read.ok) return read.error.errno === 'ENOENT' ? ok(undefined) : read;
  interface StoredEntry {
    readonly file: HostFile;
    readonly before?: Stored;
    readonly after?: Stored;
  }
  const content = (stored: Stored | undefined): FileContent | undefined => {
    if (stored === undefined) return undefined;
    const { base64, ...rest } = stored;
    return { ...rest, bytes: Buffer.from(base64, 'base64') };
  };
  try {
    const entries = JSON.parse(read.value) as readonly StoredEntry[];
    return ok(
      entries.map(({ file, before, after }) => ({
        file,
        before: content(before),
        after: content(after),
      })),
    );
  } catch {
    const reason = 'it is damaged';
    const hint = 'remove it; the files that it names stay as they are';
    return failed({ action: 'use the journal', object: path, reason, hint });
  }
}
