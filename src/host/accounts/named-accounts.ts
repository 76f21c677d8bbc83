/** Reads and writes the accounts of the last apply, and decides what becomes of names that nothing resolves now. */
import { mkdirSync } from 'node:fs';
import { causedBy, failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { removeIfThere, replaceFile } from '../../../packages/base/io/replace-file.ts';
import {
  formatNamedAccounts,
  namedAccountBytesMax,
  parseNamedAccounts,
  type NamedAccount,
} from '../../policy/accounts/named-accounts.ts';
import type { Account, Policy } from '../../policy/policy.ts';
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
function judged({ account, state }: NamedAccount, owners: readonly Account[] = []): NamedAccount {
  const owner = owners.find(({ user }) => user !== account.user)?.user;
  if (owner !== undefined) return { account, state: 'replaced', owner };
  return { account, state: state === 'replaced' ? state : 'missing' };
}

/** Returns no accounts if no apply has written the file yet, or this process may not read it. */
function readNamedAccounts(paths: Place): Result<ReadonlyMap<string, NamedAccount>, Problem> {
  const object = namedAccountsFile(paths);
  const read = readBounded(object, namedAccountBytesMax, { links: 'refuse' });
  const none = ['ENOENT', 'EACCES'];
  if (!read.ok) return none.includes(read.error.errno ?? '') ? ok(new Map()) : read;
  const parsed = parseNamedAccounts(decodeText(read.value));
  if (parsed !== undefined) return ok(parsed);
  const reason = 'it is damaged, so the uids of accounts that do not exist any more are unknown';
  return failed({ action: 'read', object, reason, hint: 'the next "bulkhead apply" writes it' });
}

/** Records the accounts of a policy that has been applied. */
export function keepNamedAccounts(
  paths: Place,
  { named }: Pick<Policy, 'named'>,
): Result<void, Problem> {
  const path = namedAccountsFile(paths);
  const text = formatNamedAccounts(named);
  const before = readBounded(path, namedAccountBytesMax, { links: 'refuse' });
  if (before.ok ? decodeText(before.value) === text : named.length === 0) return ok(undefined);
  const kept = writeNamedAccounts(paths, text);
  const action = 'record the accounts of the policy';
  return kept.ok ? kept : failed({ action, ...causedBy(kept.error) });
}

function writeNamedAccounts(paths: Place, text: string): Result<void, Problem> {
  const { state } = paths;
  try {
    mkdirSync(state, { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ action: 'create the directory', object: state, ...causeOf(error) });
  }
  return replaceFile(namedAccountsFile(paths), text, 0o600);
}

export function releaseNamedAccounts(paths: Place): Result<void, Problem> {
  const object = namedAccountsFile(paths);
  try {
    removeIfThere(object);
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'remove', object, ...causeOf(error) });
  }
}
