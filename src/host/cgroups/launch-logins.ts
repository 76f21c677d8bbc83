/**
 * The accounts for which PAM starts the session step: `/run/bulkhead/logins`, one per line, as pam_listfile reads it.
 *
 *     alice
 *     bob
 *
 * This only preselects, so that other logins cost nothing: the step itself decides. An extra account does no harm. The
 * agent places a missing one after its login.
 *
 * `/run/bulkhead/slices` are those of them that are slices of systemd, so that pam_systemd takes their logins there;
 * there is no such file where there are none. Who is stopped is not in it: the step refuses, and pam_systemd does not.
 */
import { rmSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import { readText } from '../../../packages/base/io/read.ts';
import type { Account } from '../../policy/policy.ts';
import { parsePasswd } from '../accounts/accounts.ts';
import type { Paths } from '../paths.ts';
import { readStops } from '../stops.ts';

export const loginsFile = (runtime: string): string => `${runtime}/logins`;
export const slicesFile = (runtime: string): string => `${runtime}/slices`;

export interface LoginTenant {
  readonly uid: number;
  /** The tenant's account, which may exist only in a directory service. */
  readonly user?: string;
  readonly isSlice: boolean;
}

export function publishLogins(
  { etc, runtime, state }: Pick<Paths, 'etc' | 'runtime' | 'state'>,
  tenants: readonly LoginTenant[],
): Result<void, Problem> {
  const accounts = parsePasswd(readText(`${etc}/passwd`) ?? '');
  const stops = readStops({ state });
  const inSlices = textOf(
    tenants.filter(({ uid, isSlice }) => isSlice && !stops.has(uid)),
    accounts,
  );
  // Before the other list: if this one is missing, the step places them all.
  const written =
    inSlices === '' ? withdraw(slicesFile(runtime)) : publish(slicesFile(runtime), inSlices);
  return written.ok ? publish(loginsFile(runtime), textOf(tenants, accounts)) : written;
}

/** Changes the list for one tenant, until the next apply writes it: its logins go to pam_systemd, or else to the step. */
export function passLogins(
  { etc, runtime }: Pick<Paths, 'etc' | 'runtime'>,
  tenant: Omit<LoginTenant, 'isSlice'>,
  to: 'pam_systemd' | 'step',
): Result<void, Problem> {
  if (readText(loginsFile(runtime)) === undefined) return ok(undefined);
  const path = slicesFile(runtime);
  const accounts = parsePasswd(readText(`${etc}/passwd`) ?? '');
  const theirs = textOf([tenant], accounts).split('\n');
  const others = (readText(path) ?? '').split('\n').filter((each) => !theirs.includes(each));
  const names = to === 'step' ? others : [...others, ...theirs.filter((each) => each !== '')];
  const text = names
    .sort()
    .map((name) => `${name}\n`)
    .join('');
  return text === '' ? withdraw(path) : publish(path, text);
}

function textOf(
  tenants: readonly Omit<LoginTenant, 'isSlice'>[],
  accounts: readonly Account[],
): string {
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
