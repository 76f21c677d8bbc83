/** The system user of the worker. It owns no file, and cannot log in. */
import { existsSync } from 'node:fs';
import { failed, formatCause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { parsePasswd, readUidRange } from '../../host/accounts/accounts.ts';
import type { Paths } from '../../host/paths.ts';
import type { Account } from '../../policy/accounts/account.ts';
import { runBounded } from '../../sys/processes/run-bounded.ts';
import { workerAccount } from '../core/rights/enable-sql.ts';

const timeoutMs = 30_000;
const action = 'use the system user';

/** Returns the user; undefined if there is none. One with a uid of people is a problem: it may be a customer's. */
export function findWorkerUser(paths: Paths): Result<Account | undefined, Problem> {
  const found = parsePasswd(readText(`${paths.etc}/passwd`) ?? '').find(
    ({ user }) => user === workerAccount,
  );
  if (found === undefined) return ok(undefined);
  const { first } = readUidRange(paths);
  return found.uid > 0 && found.uid < first
    ? ok(found)
    : failed({
        action,
        object: workerAccount,
        reason: `it has uid ${found.uid}, which no system user has`,
        hint: 'rename that user',
      });
}

/** Makes the user if it is missing. Returns whether it did. */
export async function makeWorkerUser(paths: Paths): Promise<Result<boolean, Problem>> {
  const found = findWorkerUser(paths);
  if (!found.ok) return found;
  if (found.value !== undefined) return ok(false);
  const shell = ['/usr/sbin/nologin', '/sbin/nologin'].find((each) => existsSync(each));
  const args = [
    '--system',
    '--no-create-home',
    '--home-dir',
    '/',
    '--shell',
    shell ?? '/bin/false',
  ];
  const done = await runBounded('useradd', [...args, workerAccount], { timeoutMs });
  const made = findWorkerUser(paths);
  if (!made.ok) return made;
  if (made.value !== undefined) return ok(true);
  const said = done.ok ? (done.value.stderr.trim().split('\n')[0] ?? '') : formatCause(done.error);
  return failed({
    action: 'make the system user',
    object: workerAccount,
    reason: said === '' ? 'useradd made none' : said,
    hint: `make it: useradd ${[...args, workerAccount].join(' ')}`,
  });
}
