/** Explains SQLite's errors in words. https://sqlite.org/rescode.html */

interface SqliteError {
  readonly errcode: number;
  readonly errstr: string;
  readonly message: string;
}

export const isSqliteError = (error: unknown): error is SqliteError & Error =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number';

/** Returns the low byte of the code; the rest is a detail of the same error. */
const primary = (error: SqliteError) => error.errcode & 0xff;

const busy = 5;
const readOnly = 8;
const ioError = 10;
const corrupt = 11;
const full = 13;
const cannotOpen = 14;
const notDatabase = 26;

const sqliteTexts: Readonly<Record<number, string>> = {
  [busy]: 'another program has locked it',
  [readOnly]: 'it cannot be written now; its file was moved, or its file system is read-only',
  [ioError]: 'the disk could not be read or written; see the kernel log',
  [corrupt]: 'it is damaged',
  [full]: 'no space is left on its file system',
  [cannotOpen]: 'its file cannot be opened',
  [notDatabase]: 'it is damaged: it is not an SQLite database',
};

/** Whether the file is damaged, so that a retry will not help. */
export const isDamage = (error: unknown): error is SqliteError & Error =>
  isSqliteError(error) && [corrupt, notDatabase].includes(primary(error));

/** Whether the connection still works, and only this one write failed. */
export const leavesOpen = (error: unknown) =>
  isSqliteError(error) && [busy, full].includes(primary(error));

/**
 * Returns why a statement failed, in words; an error that is not SQLite's is a broken invariant.
 */
export function formatSqliteError(error: unknown): string {
  if (!isSqliteError(error)) throw error;
  return sqliteTexts[primary(error)] ?? `${error.message} (SQLite ${error.errcode})`;
}
