/**
 * The accounts that policies in force have named, as the last apply found them: `/var/lib/bulkhead/accounts-in-force`.
 *
 *     accounts 1                        the version of this format
 *     alice:1001:1001:/home/alice       the name, uid, gid and home
 *     web1:1003:33:/home/web1:ann,ben   ann and ben share the uid, as shell users of ISPConfig do
 *     bob:1002::                        bob is gone, and another account has had the uid since
 *     end
 *
 * A policy stays valid when an account that it names is deleted, or when the directory service that has the account is
 * down: the account then keeps the uid from here.
 */
import type { Account } from './account.ts';

/** `missing`: nothing resolves the name now. `replaced`: and another account has had its uid since. */
export type AccountState = 'found' | 'missing' | 'replaced';

export interface NamedAccount {
  readonly account: Account;
  readonly state: AccountState;
  /** The account that has the uid of a replaced one now, if any. */
  readonly owner?: string;
  /** Other names that had the uid while the account existed. They are no new owners. */
  readonly sharedBy?: readonly string[];
}

/** An account that does not exist now, and the kind of element that names it. */
export interface MissingAccount extends NamedAccount {
  readonly element: 'tenant' | 'reseller' | 'except';
}

/** A policy with a hundred thousand tenants takes less than 8 MiB. */
export const namedAccountBytesMax = 64 * 2 ** 20;
/** More names that share a uid are not recorded. */
const sharedByMax = 100;
const first = 'accounts 1';
const last = 'end';
const line =
  /^(?<user>[^:\n]+):(?<uid>\d{1,10}):(?:(?<gid>\d{1,10}):(?<home>[^:\n]*)(?::(?<shared>[^:\n]+))?|:)$/;

/** Formats the accounts in this order. Accounts that could not be read again are left out. */
export function formatNamedAccounts(named: readonly NamedAccount[]): string {
  let bytes = 0;
  // A character takes at most three bytes.
  const fits = (text: string) => (bytes += 3 * text.length + 1) < namedAccountBytesMax - 32;
  const lines = named.map(lineOf).filter((each) => line.test(each) && fits(each));
  return [first, ...lines, last].map((each) => `${each}\n`).join('');
}

function lineOf({ account: { user, uid, gid, home }, state, sharedBy = [] }: NamedAccount): string {
  if (state === 'replaced') return `${user}:${uid}::`;
  const shared = sharedBy.filter((each) => !each.includes(',')).slice(0, sharedByMax);
  return [user, uid, gid, home, ...(shared.length === 0 ? [] : [shared.join(',')])].join(':');
}

/** Whether another version of Bulkhead has written the text. */
export const isOtherVersion = (text: string): boolean =>
  /^accounts \d{1,10}\n/.test(text) && !text.startsWith(`${first}\n`);

/** Returns the accounts by name; `found` means that nothing has replaced them. Undefined if the text is damaged. */
export function parseNamedAccounts(text: string): ReadonlyMap<string, NamedAccount> | undefined {
  if (!text.startsWith(`${first}\n`) || !text.endsWith(`\n${last}\n`)) return undefined;
  const named = new Map<string, NamedAccount>();
  for (const each of text.slice(first.length + 1, -last.length - 1).split('\n')) {
    if (each === '') continue;
    const found = line.exec(each)?.groups;
    if (found === undefined) return undefined;
    const { user = '', uid, gid, home = '', shared } = found;
    const account = { user, uid: Number(uid), gid: Number(gid ?? uid), home };
    const state = gid === undefined ? 'replaced' : 'found';
    named.set(user, { account, state, ...(shared && { sharedBy: shared.split(',') }) });
  }
  return named;
}

/** Describes the account, the consequence, and the remedy. */
export function missingAccountText({ account, state, owner, element }: MissingAccount): string {
  const { user, uid } = account;
  const remedy = {
    tenant: `run: bulkhead remove ${user}`,
    reseller: `run: bulkhead reseller remove ${user}`,
    except: `remove "${user}" from "except"`,
  }[element];
  if (state !== 'replaced') {
    const kept = { tenant: 'its limits', reseller: 'its limits', except: 'its exception' }[element];
    return `The account "${user}" does not exist now: it was deleted, or its directory service does not answer. Uid ${uid}, its last one, keeps ${kept}; if it was deleted, ${remedy}`;
  }
  const none = element === 'except' ? 'the exception has no effect' : 'the element has no effect';
  const sum = element === 'reseller' ? ', and nothing limits the sum of its tenants' : '';
  const who = owner === undefined ? 'another account' : `"${owner}"`;
  return `The account "${user}" does not exist any more, and ${who} has got its uid ${uid}: ${none}${sum}. If it was renamed, write the new name; otherwise ${remedy}`;
}
