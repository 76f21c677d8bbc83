/** Records the accounts that a policy in force names, with their uids and the other names of these. */
import { readText } from '../../../packages/base/io/read.ts';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { removeFile, replaceStateFile } from '../../../packages/base/io/replace-file.ts';
import { causedBy, failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  formatNamedAccounts,
  namedAccountBytesMax,
  parseNamedAccounts,
  type NamedAccount,
} from '../../policy/accounts/named-accounts.ts';
import type { Account, Policy } from '../../policy/policy.ts';
import type { Paths } from '../paths.ts';
import { askDirectory, parsePasswd } from './accounts.ts';
import { isOther, namedAccountsFile } from './named-accounts.ts';

/** The maximum number of recorded accounts, beyond those that the policy in force names. */
const keptMax = 100_000;

/**
 * Records the accounts of a policy that has been applied. Accounts of earlier policies stay, since an administrator may
 * have applied another file in between, unless the uid or the name has become another account's.
 */
export function keepNamedAccounts(
  paths: Pick<Paths, 'state' | 'etc'>,
  { named }: Pick<Policy, 'named'>,
): Result<void, Problem> {
  const path = namedAccountsFile(paths);
  const read = readBounded(path, namedAccountBytesMax, { links: 'refuse' });
  const before = read.ok ? decodeText(read.value) : undefined;
  const text = formatNamedAccounts(merged(paths, named, parseNamedAccounts(before ?? '')));
  if (before === undefined ? named.length === 0 : before === text) return ok(undefined);
  const kept = replaceStateFile(namedAccountsFile(paths), text);
  const action = 'record the accounts of the policy';
  return kept.ok ? kept : failed({ action, ...causedBy(kept.error) });
}

/** Returns the accounts that are named now, then earlier ones, the latest first. */
function merged(
  { etc }: Pick<Paths, 'etc'>,
  named: readonly NamedAccount[],
  before: ReadonlyMap<string, NamedAccount> = new Map(),
): readonly NamedAccount[] {
  const local = parsePasswd(readText(`${etc}/passwd`) ?? '');
  const now = withAliases(named, local, before);
  const names = new Set(named.map(({ account }) => account.user));
  const existing = now.filter(({ state }) => state === 'found').map(({ account }) => account);
  const owners = Map.groupBy([...local, ...existing], ({ uid }) => uid);
  const uids = new Map([...local, ...existing].map(({ user, uid }) => [user, uid]));
  const earlier = [...before.values()].filter((each) => {
    const { user, uid } = each.account;
    if (names.has(user) || (uids.get(user) ?? uid) !== uid) return false;
    return !owners.get(uid)?.some((owner) => isOther(owner, each));
  });
  return [...now, ...earlier.slice(0, Math.max(0, keptMax - now.length))];
}

/**
 * Adds the other names of the uids. A directory service is asked only for accounts that it has and that are new here: it
 * is slow, and returns one name for a uid.
 */
function withAliases(
  named: readonly NamedAccount[],
  local: readonly Account[],
  before: ReadonlyMap<string, NamedAccount>,
): readonly NamedAccount[] {
  const localNames = new Set(local.map(({ user }) => user));
  const remote = named.flatMap(({ account, state }) =>
    state === 'found' && !localNames.has(account.user) ? [account] : [],
  );
  const known = new Map(
    remote.flatMap(({ user, uid }) => {
      const last = before.get(user);
      const isSame = last?.account.uid === uid && last.state === 'found';
      return isSame ? [[user, last.sharedBy] as const] : [];
    }),
  );
  const fresh = remote.filter(({ user }) => !known.has(user));
  const asked = fresh.length === 0 ? [] : askDirectory(fresh.map(({ uid }) => String(uid)));
  const owners = Map.groupBy([...local, ...asked], ({ uid }) => uid);
  return named.map((each) => {
    const { account, state } = each;
    if (state !== 'found') return each;
    const others = owners.get(account.uid)?.map(({ user }) => user) ?? [];
    const all = new Set([...others, ...(known.get(account.user) ?? [])]);
    all.delete(account.user);
    return { account, state, ...(all.size > 0 && { sharedBy: [...all] }) };
  });
}

export const releaseNamedAccounts = (paths: Pick<Paths, 'state'>): Result<void, Problem> =>
  removeFile(namedAccountsFile(paths));
