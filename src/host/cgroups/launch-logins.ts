/**
 * For whom PAM starts the session step: `/run/bulkhead/logins`, one account a line, as pam_listfile reads it.
 *
 *     alice
 *     bob
 *
 * Only a first choice, so that the logins of everybody else cost nothing: the step itself decides. An account too many
 * does no harm; one that is missing is placed by the agent, after its login.
 */
import { rmSync } from 'node:fs';
import type { Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { replaceFile } from '../../sys/files/replace-file.ts';
import { readText } from '../../sys/files/read.ts';
import { parsePasswd } from '../accounts/accounts.ts';
import type { Paths } from '../paths.ts';

export const loginsFile = (runtime: string): string => `${runtime}/logins`;

/** `named` are accounts that may be in a directory service alone. */
export function publishLogins(
  { etc, runtime }: Pick<Paths, 'etc' | 'runtime'>,
  tenants: ReadonlySet<number>,
  named: readonly string[],
): Result<void, Problem> {
  const local = parsePasswd(readText(`${etc}/passwd`) ?? '')
    .filter(({ uid }) => tenants.has(uid))
    .map(({ user }) => user);
  const names = [...new Set([...local, ...named])].filter(isOneLine).sort();
  const text = names.map((name) => `${name}\n`).join('');
  const path = loginsFile(runtime);
  // pam_listfile takes no file that others can write to.
  return readText(path) === text ? ok(undefined) : replaceFile(path, text, 0o600);
}

export function withdrawLogins(runtime: string): void {
  rmSync(loginsFile(runtime), { force: true });
}

/** Where pam_listfile ends a name. */
const isOneLine = (name: string) => !/[\r\n\0]/.test(name);
