/**
 * The accounts that must not have a session outside a jail: `/var/lib/bulkhead/jailed`, the uid of each such tenant and
 * below it its accounts.
 *
 *     1001
 *     alice
 *
 * The PAM module uses it after a reboot until the jails have been built; pam_listfile uses it if that module is
 * missing. So the file outlives both: an account is added before its jail exists, and stays as long as the jail does.
 *
 * `/var/lib/bulkhead/jailed-sites` has the keys of sites' jails, such as `1001-shop.example`, for bulkhead-fpm. It is another
 * file since an account could have such a name, and a site has no sessions.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, errnoOf } from '../../../packages/base/io/errno.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import { parsePasswd } from '../accounts/accounts.ts';
import type { Paths } from '../paths.ts';

export const jailedFile = (state: string): string => `${state}/jailed`;
export const jailedSitesFile = (state: string): string => `${state}/jailed-sites`;

export interface JailedTenant {
  readonly uid: number;
  /** The tenant's account, which may exist only in a directory service. */
  readonly user?: string;
}

type Names = ReadonlyMap<number, readonly string[]>;

/** The contents of the file. */
export interface JailedAccounts {
  /** The number of tenants. */
  readonly tenants: number;
  /** The names of accounts, and the uids as text. */
  readonly names: ReadonlySet<string>;
}

/** Returns the accounts in the file, none if there is no such file. Only root can read it. */
export function readJailed(state: string): Result<JailedAccounts, Problem> {
  const text = readList(jailedFile(state));
  if (!text.ok) return text;
  const names = new Set(text.value.split('\n').filter((line) => line !== ''));
  return ok({ tenants: parseJailed(text.value).size, names });
}

/** Adds accounts; removes none. */
export function addJailed(
  paths: Pick<Paths, 'etc' | 'state'>,
  tenants: readonly JailedTenant[],
): Result<void, Problem> {
  const known = listed(paths.state);
  if (!known.ok) return known;
  return publish(paths.state, new Map([...known.value, ...namesOf(paths, tenants)]));
}

/** Removes all accounts but these, and accounts for which `hasJail` still holds. */
export function settleJailed(
  paths: Pick<Paths, 'etc' | 'state'>,
  tenants: readonly JailedTenant[],
  hasJail: (uid: number) => boolean,
): Result<void, Problem> {
  const known = listed(paths.state);
  if (!known.ok) return known;
  const others = [...known.value].filter(([uid]) => hasJail(uid));
  return publish(paths.state, new Map([...others, ...namesOf(paths, tenants)]));
}

function listed(state: string): Result<Names, Problem> {
  const text = readList(jailedFile(state));
  return text.ok ? ok(parseJailed(text.value)) : text;
}

/** Reads a list, empty if there is none. A list that cannot be read stays as it is: it would lose who has a jail. */
function readList(path: string): Result<string, Problem> {
  try {
    return ok(readFileSync(path, 'utf8'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return ok('');
    return failed({ action: 'read', object: path, ...causeOf(error) });
  }
}

/** Parses the file. A line of digits is a uid, since no tenant's account has such a name. */
function parseJailed(text: string): Names {
  const found = new Map<number, string[]>();
  let names: string[] = [];
  for (const line of text.split('\n')) {
    if (isNumber(line)) found.set(Number(line), (names = []));
    else if (line !== '') names.push(line);
  }
  return found;
}

function namesOf({ etc }: Pick<Paths, 'etc'>, tenants: readonly JailedTenant[]): Names {
  if (tenants.length === 0) return new Map();
  const local = Map.groupBy(parsePasswd(readText(`${etc}/passwd`) ?? ''), ({ uid }) => uid);
  return new Map(
    tenants.map(({ uid, user }) => {
      const names = (local.get(uid) ?? []).map((each) => each.user);
      return [uid, [...new Set(user === undefined ? names : [...names, user])].filter(isName)];
    }),
  );
}

const isNumber = (line: string) => /^\d+$/.test(line);

/** Whether pam_listfile would read the name whole: it ends a name at these characters. */
const isName = (name: string) => !/[\r\n\0]/.test(name) && !isNumber(name);

const publish = (state: string, names: Names): Result<void, Problem> =>
  write(
    state,
    jailedFile(state),
    [...names].sort(([a], [b]) => a - b).flatMap(([uid, each]) => [uid, ...each]),
  );

/** Adds the keys of sites' jails; removes none. */
export function addJailedSites(state: string, keys: readonly string[]): Result<void, Problem> {
  const known = listedSites(state);
  return known.ok ? publishSites(state, [...known.value, ...keys]) : known;
}

/** Removes all sites but these, and sites for which `hasJail` still holds. */
export function settleJailedSites(
  state: string,
  keys: readonly string[],
  hasJail: (key: string) => boolean,
): Result<void, Problem> {
  const known = listedSites(state);
  return known.ok ? publishSites(state, [...known.value.filter(hasJail), ...keys]) : known;
}

function listedSites(state: string): Result<readonly string[], Problem> {
  const text = readList(jailedSitesFile(state));
  return text.ok ? ok(text.value.split('\n').filter((line) => line !== '')) : text;
}

const publishSites = (state: string, keys: readonly string[]): Result<void, Problem> =>
  write(state, jailedSitesFile(state), [...new Set(keys)].sort());

/** Writes a list, or removes an empty one. Its readers reject files that others can write to. */
function write(
  state: string,
  path: string,
  lines: readonly (string | number)[],
): Result<void, Problem> {
  const text = lines.map((line) => `${line}\n`).join('');
  if ((readText(path) ?? '') === text) return ok(undefined);
  try {
    if (text === '') {
      rmSync(path, { force: true });
      return ok(undefined);
    }
    mkdirSync(state, { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ action: 'write', object: path, ...causeOf(error) });
  }
  return replaceFile(path, text, 0o600);
}
