/** The meaning of SQLite's errors, in words. https://sqlite.org/rescode.html */

interface SqliteError {
  readonly errcode: number;
  readonly errstr: string;
  readonly message: string;
}

export const isSqliteError = (error: unknown): error is SqliteError & Error =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number';

/** The low byte; the rest is a detail of the same error. */
const primary = (error: SqliteError) => error.errcode & 0xff;

const busy = 5;
const readOnly = 8;
const ioError = 10;
const corrupt = 11;
const full = 13;
const cannotOpen = 14;
const notDatabase = 26;

const words: Readonly<Record<number, string>> = {
  [busy]: 'another program has locked it',
  [readOnly]: 'it cannot be written now; its file was moved, or its file system is read-only',
  [ioError]: 'the disk could not be read or written; see the kernel log',
  [corrupt]: 'it is damaged',
  [full]: 'no space is left on its file system',
  [cannotOpen]: 'its file cannot be opened',
  [notDatabase]: 'it is damaged: it is not an SQLite database',
};

/** The file is damaged, and a retry will not help. */
export const isDamage = (error: unknown): error is SqliteError & Error =>
  isSqliteError(error) && [corrupt, notDatabase].includes(primary(error));

/** The connection still works; only this one write failed. */
export const leavesOpen = (error: unknown) =>
  isSqliteError(error) && [busy, full].includes(primary(error));

/** Why a statement failed, in words; an error that is not SQLite's is a broken invariant. */
export function describeSqlite(error: unknown): string {
  if (!isSqliteError(error)) throw error;
  return words[primary(error)] ?? `${error.message} (SQLite ${error.errcode})`;
}
