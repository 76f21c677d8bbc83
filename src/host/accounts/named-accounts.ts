/** Reads the accounts of the last apply, and decides what becomes of names that nothing resolves now. */
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import {
  isOtherVersion,
  namedAccountBytesMax,
  parseNamedAccounts,
  type NamedAccount,
} from '../../policy/accounts/named-accounts.ts';
import type { Account } from '../../policy/policy.ts';
import type { Paths } from '../paths.ts';

type Place = Pick<Paths, 'state'>;

export const namedAccountsFile = ({ state }: Place): string => `${state}/accounts-in-force`;

export interface MissingAccounts {
  /** The missing accounts by name; names that no apply has known are not there. */
  readonly missing: ReadonlyMap<string, NamedAccount>;
  /** The reason why the accounts of the last apply are not known. */
  readonly problem?: Problem;
}

/**
 * Finds the names that no account has now among the accounts of the last apply. `ask` looks accounts up by uid: one
 * that another account has got since is never given away.
 */
export function findMissingAccounts(
  paths: Place,
  named: readonly string[],
  accounts: readonly Account[],
  ask: (uids: readonly string[]) => readonly Account[],
): MissingAccounts {
  const existing = new Set(accounts.map(({ user }) => user));
  const names = [...new Set(named)].filter((user) => !existing.has(user));
  if (names.length === 0) return { missing: new Map() };
  const read = readNamedAccounts(paths);
  if (!read.ok) return { missing: new Map(), problem: read.error };
  const known = names.flatMap((user) => read.value.get(user) ?? []);
  const asked = known.length === 0 ? [] : ask(known.map(({ account }) => String(account.uid)));
  const owners = Map.groupBy([...accounts, ...asked], ({ uid }) => uid);
  return {
    missing: new Map(
      known.map((each) => [each.account.user, judged(each, owners.get(each.account.uid))]),
    ),
  };
}

/** A replaced account stays so when the other one is gone too, or its directory service is down. */
function judged(named: NamedAccount, owners: readonly Account[] = []): NamedAccount {
  const { account, state, sharedBy } = named;
  const owner = owners.find((each) => isOther(each, named))?.user;
  if (owner !== undefined) return { account, state: 'replaced', owner };
  if (state === 'replaced') return { account, state };
  return { account, state: 'missing', ...(sharedBy && { sharedBy }) };
}

/** Whether an account with the same uid is neither this one nor an alias of it. */
export const isOther = ({ user }: Account, { account, sharedBy = [] }: NamedAccount): boolean =>
  user !== account.user && !sharedBy.includes(user);

/** Returns no accounts if no apply has written the file yet, or this process may not read it. */
function readNamedAccounts(paths: Place): Result<ReadonlyMap<string, NamedAccount>, Problem> {
  const object = namedAccountsFile(paths);
  const read = readBounded(object, namedAccountBytesMax, { links: 'refuse' });
  const none = ['ENOENT', 'EACCES'];
  if (!read.ok) return none.includes(read.error.errno ?? '') ? ok(new Map()) : read;
  const text = decodeText(read.value);
  const parsed = parseNamedAccounts(text);
  if (parsed !== undefined) return ok(parsed);
  const why = isOtherVersion(text) ? 'another version of Bulkhead has written it' : 'it is damaged';
  const reason = `${why}, so the uids of accounts that do not exist any more are unknown`;
  const hint = 'remove their elements from the policy, then run: bulkhead apply';
  return failed({ action: 'read', object, reason, hint });
}
