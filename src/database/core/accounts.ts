/**
 * Account of a database server → tenant, or nobody with the reason.
 *
 * In this order: the server's own accounts are nobody's; what the policy names; what the panel states, in files that only
 * root can write; and the name: the account `alice`, and accounts that begin with `alice_`, belong to alice. If more than
 * one tenant fits (`al` and `al_ice`), the account is nobody's until the policy names it: otherwise `al` could make
 * accounts for which `al_ice` is held. Nobody's accounts are seen, and never held.
 *
 * Names come from tenants and may contain anything. One lookup takes as many steps as a user name has characters.
 */
import { listSome } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import { defaultDatabases, type AccountKind } from '../../policy/databases/database-settings.ts';
import { isServersOwn } from '../../policy/databases/servers-own.ts';
import type { Policy } from '../../policy/policy.ts';

export type Owner =
  | { readonly tenant: number; readonly by: 'policy' | 'panel' | 'name' }
  | { readonly tenant: undefined; readonly by: NobodysReason; readonly names?: readonly string[] };

/**
 *     server         the server's own account, or one that lets everybody in
 *     exempt         the policy exempts it
 *     policy         the policy gives it to an account that is not a tenant
 *     panel          the panel gives it to an account that is not a tenant, or to several accounts
 *     ambiguous      the names of several accounts fit
 *     no rule        the policy does not take names into account
 *     unknown        no tenant has such a name
 */
export type NobodysReason =
  | 'server'
  | 'exempt'
  | 'policy'
  | 'panel'
  | 'ambiguous'
  | 'no rule'
  | 'unknown';

/** The longest name of an account of the host; see `userPattern` of the policy. */
const userCharactersMax = 65;

export interface OwnerFacts {
  readonly policy: Pick<Policy, 'tenants' | 'databases'>;
  /** Names of the host's accounts that are no tenants: a tenant must not own what may be theirs. */
  readonly otherAccounts?: Iterable<string>;
}

/** The owners of accounts under one policy. */
export class AccountOwners {
  readonly #tenants = new Map<string, number | undefined>();
  readonly #named = new Map<string, number | undefined>();
  readonly #stated = new Map<string, Stated>();
  readonly #exempt: ReadonlySet<string>;
  readonly #byName: boolean;

  constructor({ policy, otherAccounts = [] }: OwnerFacts) {
    const settings = policy.databases ?? defaultDatabases;
    for (const user of otherAccounts) this.#tenants.set(user, undefined);
    for (const { account, uid } of policy.tenants)
      if (account !== undefined) this.#tenants.set(account.user, uid);
    for (const { name, tenant } of settings.accounts) this.#named.set(name, tenant);
    for (const { name, kind, user, tenant } of settings.stated)
      this.#state(statedKey(name, kind), { user, tenant });
    this.#exempt = new Set(settings.exempt);
    this.#byName = settings.rule === 'prefix';
  }

  #state(key: string, { user, tenant }: StatedBy): void {
    const users = this.#stated.get(key)?.users ?? [];
    if (users.length < statedUsersMax && !users.includes(user))
      this.#stated.set(key, { users: [...users, user], tenant });
  }

  /** `kind`: the server's kind; panels state the accounts of each kind apart. */
  ownerOf(account: string, kind: AccountKind = 'mysql'): Owner {
    if (isServersOwn(account)) return nobody('server');
    if (this.#exempt.has(account)) return nobody('exempt');
    if (this.#named.has(account)) {
      const tenant = this.#named.get(account);
      return tenant === undefined ? nobody('policy') : { tenant, by: 'policy' };
    }
    const stated = this.#stated.get(statedKey(account, kind));
    if (stated !== undefined) {
      const { users, tenant } = stated;
      return users.length > 1 || tenant === undefined
        ? nobody('panel', users)
        : { tenant, by: 'panel' };
    }
    return this.#byName ? this.#ownerByName(account) : nobody('no rule');
  }

  #ownerByName(account: string): Owner {
    const names = namesIn(account).filter((name) => this.#tenants.has(name));
    const [name] = names;
    if (name === undefined) return nobody('unknown');
    if (names.length > 1) return nobody('ambiguous', names);
    const tenant = this.#tenants.get(name);
    return tenant === undefined ? nobody('unknown', names) : { tenant, by: 'name' };
  }
}

const statedKey = (name: string, kind: AccountKind = 'mysql') => `${kind} ${name}`;

/** Two are enough to know that an account is nobody's; more are only shown. */
const statedUsersMax = 4;

interface StatedBy {
  readonly user: string;
  readonly tenant: number | undefined;
}

interface Stated {
  readonly users: readonly string[];
  readonly tenant: number | undefined;
}

const nobody = (by: NobodysReason, names?: readonly string[]): Owner => ({
  tenant: undefined,
  by,
  ...(names && { names }),
});

/** Returns the names that an account may have been made under, shortest first: each part before an underscore, and all. */
function namesIn(account: string): readonly string[] {
  const names: string[] = [];
  for (let at = account.indexOf('_'); isWithin(at); at = account.indexOf('_', at + 1))
    names.push(account.slice(0, at));
  if (account.length <= userCharactersMax) names.push(account);
  return names;
}

const isWithin = (at: number) => at !== -1 && at <= userCharactersMax;

/** Explains an owner in a few words, for people: `its name`, `the names al and al_ice both fit`. */
export function formatOwnerReason(owner: Owner): string {
  const names = (owner.tenant === undefined ? (owner.names ?? []) : []).map(printable);
  switch (owner.by) {
    case 'name':
      return 'its name';
    case 'policy':
      return owner.tenant === undefined ? 'the policy gives it to no tenant' : 'the policy';
    case 'panel':
      if (owner.tenant !== undefined) return 'the panel';
      return names.length > 1
        ? `the panel gives it to ${listSome(names)}`
        : `the panel gives it to ${listSome(names)}, which is not a tenant`;
    case 'server':
      return "the server's own";
    case 'exempt':
      return 'exempt in the policy';
    case 'ambiguous':
      return `the names ${listSome(names)} fit; name it in the policy: <account name="…" tenant="…"/>`;
    case 'no rule':
      return 'the policy does not go by names (accounts="none")';
    case 'unknown':
      return names.length === 0
        ? 'no tenant has such a name'
        : `it has the name of ${listSome(names)}, which is not a tenant`;
  }
}
