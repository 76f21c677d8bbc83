/** Compares what a panel states with the host and with itself. Nothing is lost: what is not used is a problem. */
import { count } from '../../../packages/base/list.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import type { Account } from '../../policy/policy.ts';
import { packageKey } from '../../policy/panel/panel-record.ts';
import { userPattern, valueKinds } from '../../policy/value-kinds.ts';
import {
  type PackageName,
  type PanelAccount,
  type PanelData,
  type PanelDomain,
  type PanelPackage,
  type StatedAccount,
  type StatedData,
} from './panel-data.ts';

export interface HostAccounts {
  readonly accounts: readonly Account[];
  /** The first uid of people: those below belong to the system. */
  readonly uidMin: number;
}

/** `nobody`, which no policy can limit. */
const nobody = 65_534;

/** More than a customer needs; all of them are in one record. */
const databaseAccountsMax = 2000;

const noPlan = 'it keeps its earlier plan, or gets the defaults';

const mailPattern =
  /^[A-Za-z0-9_][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?$/;

export function checkData(stated: StatedData, host: HostAccounts): PanelData {
  const { ownersAreVague: _vague, ...data } = stated;
  const checker = new Checker(stated, host);
  const packages = checker.packages();
  const accounts = checker.accounts(packages);
  const resellers = stated.resellers.map((each) => checker.withMail(each, each.name));
  return {
    ...data,
    packages,
    accounts,
    resellers,
    isPartial: stated.problems.length > 0,
    problems: [...stated.problems, ...checker.problems],
  };
}

class Checker {
  readonly problems: Problem[] = [];
  readonly #stated: StatedData;
  readonly #host: HostAccounts;
  readonly #owners: ReadonlySet<string>;
  readonly #users: ReadonlyMap<string, Account>;

  constructor(stated: StatedData, host: HostAccounts) {
    this.#stated = stated;
    this.#host = host;
    this.#users = new Map(host.accounts.map((each) => [each.user, each]));
    this.#owners = new Set([
      'root',
      ...stated.administrators,
      ...stated.resellers.map(({ name }) => name),
    ]);
  }

  packages(): readonly PanelPackage[] {
    const seen = new Map<string, PanelPackage>();
    for (const each of this.#stated.packages) {
      const first = seen.get(packageKey(each));
      if (first === undefined) seen.set(packageKey(each), each);
      else
        this.#refuse(
          'use the package',
          each.name,
          `${first.from} states it, too`,
          'the first one counts',
          each,
        );
    }
    return [...seen.values()];
  }

  accounts(packages: readonly PanelPackage[]): readonly PanelAccount[] {
    const names = new Map<string, PanelAccount>();
    const uids = new Map<number, string>();
    const domains = new Map<string, string>();
    const byKey = new Map(packages.map((each) => [packageKey(each), each]));
    const byName = Map.groupBy(packages, ({ name }) => name);
    for (const each of this.#stated.accounts) {
      const uid = this.#uidOf(each);
      if (uid === undefined) continue;
      const other = uids.get(uid);
      if (other !== undefined) {
        const reason =
          other === each.user ? 'the panel states it twice' : `"${other}" has its uid ${uid}, too`;
        this.#refuse('use the account', each.user, reason, 'the first one counts', each);
        continue;
      }
      uids.set(uid, each.user);
      const {
        package: wanted,
        databaseAccounts,
        postgresqlAccounts,
        ...rest
      } = this.withMail(each, each.user);
      const found = wanted && this.#packageOf(each, wanted, byKey, byName);
      if (each.owner !== undefined) this.#checkOwner(each, each.owner);
      names.set(each.user, {
        ...rest,
        uid,
        ...(found === undefined ? {} : { package: found }),
        ...(databaseAccounts && { databaseAccounts: this.#databasesOf(each, databaseAccounts) }),
        ...(postgresqlAccounts && {
          postgresqlAccounts: this.#databasesOf(each, postgresqlAccounts),
        }),
        domains: this.#domainsOf(each, domains),
      });
    }
    return [...names.values()];
  }

  /** Returns the accounts of database servers that can exist; customers make them, so their number is bounded. */
  #databasesOf(account: StatedAccount, stated: readonly string[]): readonly string[] {
    const names = new Set(stated);
    const possible = [...names].filter((each) => valueKinds.databaseAccount.parse(each).ok);
    const used = possible.slice(0, databaseAccountsMax);
    const leftOut = names.size - used.length;
    if (leftOut === 0) return used;
    const reason =
      possible.length > used.length
        ? `there are ${names.size}; the limit is ${databaseAccountsMax}`
        : `${count(leftOut, 'name')} cannot be the name of one`;
    const action = 'use all database accounts of';
    this.#refuse(action, account.user, reason, 'the others are left out', account);
    return used;
  }

  /** Returns the item without an address that a mail program could take for several, or for headers or options. */
  withMail<T extends { readonly mail?: string; readonly from: string }>(item: T, name: string): T {
    const { mail, ...rest } = item;
    if (mail === undefined || mailPattern.test(mail)) return item;
    const reason = `"${mail}" is not one address`;
    this.#refuse('use the address of', name, reason, 'it has none then', item);
    return rest as T;
  }

  /** Returns the uid that the host has for the account; undefined for one that cannot be a tenant. */
  #uidOf(stated: StatedAccount): number | undefined {
    const { user } = stated;
    const refuse = (reason: string, hint = 'it is left out') => {
      this.#refuse('use the account', user, reason, hint, stated);
      return undefined;
    };
    if (!userPattern.test(user)) return refuse('it cannot be the name of an account');
    const account = this.#users.get(user);
    if (account === undefined) return refuse('this host has no such account');
    const { uid } = account;
    if (uid < this.#host.uidMin || uid === nobody)
      return refuse(`its uid ${uid} belongs to the system`);
    if (stated.uid !== undefined && stated.uid !== uid)
      return refuse(`the panel states uid ${stated.uid}, and this host has uid ${uid}`);
    return uid;
  }

  #packageOf(
    account: StatedAccount,
    wanted: PackageName,
    byKey: ReadonlyMap<string, PanelPackage>,
    byName: ReadonlyMap<string, readonly PanelPackage[]>,
  ): PackageName | undefined {
    const { name } = wanted;
    const same = byName.get(name) ?? [];
    const found = byKey.get(packageKey(wanted)) ?? this.#packageOfAnyOwner(same);
    if (found !== undefined) return { name, ...this.#ownerOf(wanted, found) };
    const reason =
      same.length === 0
        ? `no package has the name "${name}"`
        : `${count(same.length, 'owner has', 'owners have')} a package "${name}", and ${wanted.owner === undefined ? 'the panel itself' : `"${wanted.owner}"`} has none`;
    this.#refuse('find the package of', account.user, reason, noPlan, account);
    return undefined;
  }

  /** A reseller's package stays the reseller's, though the panel names another owner elsewhere. */
  #ownerOf({ owner }: PackageName, found: PackageName): Pick<PackageName, 'owner'> {
    const isReseller = this.#stated.resellers.some(({ name }) => name === owner);
    const counts = isReseller ? owner : found.owner;
    return counts === undefined ? {} : { owner: counts };
  }

  /** Another owner's package of that name may be made to deceive: it counts only where a panel is vague about owners. */
  #packageOfAnyOwner([first, ...others]: readonly PanelPackage[]): PanelPackage | undefined {
    if (first === undefined || others.length > 0) return undefined;
    return this.#stated.ownersAreVague === true || first.owner === undefined ? first : undefined;
  }

  #checkOwner(account: StatedAccount, owner: string): void {
    if (this.#owners.has(owner) || owner === account.user) return;
    const reason = `"${owner}" is neither an administrator nor a reseller`;
    this.#refuse('find the owner of', account.user, reason, 'it counts for no reseller', account);
  }

  #domainsOf({ user, domains }: StatedAccount, taken: Map<string, string>): readonly PanelDomain[] {
    return domains.filter((domain) => {
      const owner = taken.get(domain.name) ?? user;
      taken.set(domain.name, owner);
      if (owner === user) return true;
      this.#refuse(
        'use the domain',
        domain.name,
        `"${owner}" and "${user}" both have it`,
        'the first one counts',
        domain,
      );
      return false;
    });
  }

  #refuse(
    action: string,
    object: string,
    reason: string,
    hint: string,
    { from }: { readonly from: string },
  ): void {
    this.problems.push({ action, object, reason: `${reason} (${from})`, hint });
  }
}
