/** Writes and reads the record of logins to the console, which is a part of the record of changes. */
import type { Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import type { Paths } from '../host/paths.ts';
import { LoginStore, type RecordedLogin } from '../store/changes/login-store.ts';
import { hasRecord, withLockedRecord } from './change-record.ts';

/** The agent waits no longer for a command that is writing: its ticks would be late. */
const lockMilliseconds = 20;

function withLogins<T>(
  paths: Paths,
  use: (store: LoginStore) => Result<T, Problem>,
): Result<T, Problem> {
  return withLockedRecord(paths, lockMilliseconds, (directory) => {
    using store = new LoginStore(directory);
    return use(store);
  });
}

export const recordLogins = (
  paths: Paths,
  logins: readonly RecordedLogin[],
): Result<void, Problem> => withLogins(paths, (store) => store.add(logins));

export interface LoginsQuery {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

export const listLogins = (
  paths: Paths,
  { from, to, count }: LoginsQuery,
): Result<readonly RecordedLogin[], Problem> =>
  hasRecord(paths) ? withLogins(paths, (store) => store.list(from, to, count)) : ok([]);
