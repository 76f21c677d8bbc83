/**
 * The accounts for which PAM starts the session step: `/run/bulkhead/logins`, one per line, as pam_listfile reads it.
 *
 *     alice
 *     bob
 *
 * This only preselects, so that other logins cost nothing: the step itself decides. An extra account does no harm. The
 * agent places a missing one after its login.
 *
 * `/run/bulkhead/slices` lists the accounts that are systemd slices, so that pam_systemd puts their logins there; the
 * file is missing if there are none.
 */
import { rmSync } from 'node:fs';
import { failed, type Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { causeOf } from '../../sys/errno.ts';
import { replaceFile } from '../../sys/files/replace-file.ts';
import { readText } from '../../sys/files/read.ts';
import type { Account } from '../../policy/policy.ts';
import { parsePasswd } from '../accounts/accounts.ts';
import type { Paths } from '../paths.ts';

export const loginsFile = (runtime: string): string => `${runtime}/logins`;
export const slicesFile = (runtime: string): string => `${runtime}/slices`;

export interface LoginTenant {
  readonly uid: number;
  /** The tenant's account, which may exist only in a directory service. */
  readonly user?: string;
  readonly isSlice: boolean;
}

export function publishLogins(
  { etc, runtime }: Pick<Paths, 'etc' | 'runtime'>,
  tenants: readonly LoginTenant[],
): Result<void, Problem> {
  const accounts = parsePasswd(readText(`${etc}/passwd`) ?? '');
  const inSlices = textOf(
    tenants.filter(({ isSlice }) => isSlice),
    accounts,
  );
  // Before the other list: if this one is missing, the step places them all.
  const written =
    inSlices === '' ? withdraw(slicesFile(runtime)) : publish(slicesFile(runtime), inSlices);
  return written.ok ? publish(loginsFile(runtime), textOf(tenants, accounts)) : written;
}

function textOf(tenants: readonly LoginTenant[], accounts: readonly Account[]): string {
  const uids = new Set(tenants.map(({ uid }) => uid));
  const local = accounts.filter(({ uid }) => uids.has(uid)).map(({ user }) => user);
  const named = tenants.flatMap(({ user }) => user ?? []);
  const names = [...new Set([...local, ...named])].filter(isOneLine).sort();
  return names.map((name) => `${name}\n`).join('');
}

/** Writes a list. pam_listfile rejects files that others can write to. */
const publish = (path: string, text: string): Result<void, Problem> =>
  readText(path) === text ? ok(undefined) : replaceFile(path, text, 0o600);

function withdraw(path: string): Result<void, Problem> {
  try {
    rmSync(path, { force: true });
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'remove', object: path, ...causeOf(error) });
  }
}

export function withdrawLogins(runtime: string): void {
  for (const path of [loginsFile(runtime), slicesFile(runtime)]) rmSync(path, { force: true });
}

/** Whether pam_listfile would read the name whole: it ends a name at these characters. */
const isOneLine = (name: string) => !/[\r\n\0]/.test(name);
