/**
 * The accounts that a policy names, by name or uid. An account that is gone keeps its last uid, unless another one has got
 * that; root, nobody and the system's accounts are never tenants.
 */
import { formatCause, type Cause } from '../../../packages/base/problem.ts';
import type { Diagnostics, Located, Span } from '../diagnostic.ts';
import type { TenantName } from '../document.ts';
import type { Account, HostFacts, Identity } from '../policy.ts';
import { missingAccountText, type MissingAccount, type NamedAccount } from './named-accounts.ts';

/** The account that owns nothing; by convention 65534, whatever its name. */
const nobody = 65_534;

export class Identities {
  readonly #facts: HostFacts;
  readonly #diagnostics: Diagnostics;
  readonly #byName = new Map<string, Account>();
  readonly #byUid = new Map<number, Account>();
  readonly #named = new Map<string, NamedAccount>();
  readonly #missing: MissingAccount[] = [];

  constructor(facts: HostFacts, diagnostics: Diagnostics) {
    this.#facts = facts;
    this.#diagnostics = diagnostics;
    for (const account of facts.accounts) {
      if (!this.#byName.has(account.user)) this.#byName.set(account.user, account);
      if (!this.#byUid.has(account.uid)) this.#byUid.set(account.uid, account);
    }
  }

  /** The accounts that the policy has named so far. */
  get named(): readonly NamedAccount[] {
    return [...this.#named.values()];
  }

  /** The named accounts that are gone. */
  get missing(): readonly MissingAccount[] {
    return this.#missing;
  }

  get userNames(): Iterable<string> {
    return this.#byName.keys();
  }

  at(uid: number): Account | undefined {
    return this.#byUid.get(uid);
  }

  /** Finds the account of a name; a missing one has its last uid, unless another account has got that. */
  accountOf(user: string, at: Span, element: MissingAccount['element']) {
    const missing = this.#facts.missing?.get(user);
    const account = this.#byName.get(user);
    const named = missing ?? (account && { account, state: 'found' as const });
    if (named !== undefined) this.#named.set(user, named);
    if (missing !== undefined) {
      const found = { ...missing, element };
      this.#missing.push(found);
      this.#diagnostics.warn(at, missingAccountText(found));
    }
    return named;
  }

  /** Returns whom a `tenant` or `reseller` names; undefined, and reported, if nobody may be that. */
  identify(name: Located<TenantName>, element: 'tenant' | 'reseller'): Identity | undefined {
    const who = name.value;
    const named = who.kind === 'user' ? this.accountOf(who.user, name, element) : undefined;
    if (named?.state === 'replaced') return undefined;
    const account = who.kind === 'user' ? named?.account : this.#byUid.get(who.uid);
    if (who.kind === 'user' && account === undefined) {
      this.#reportUnknown(name, who.user);
      return undefined;
    }
    const uid = account?.uid ?? (who.kind === 'uid' ? who.uid : 0);
    const cause = this.neverTenant(uid);
    if (cause === undefined) return { uid, account };
    this.#diagnostics.error(
      name,
      `"${who.kind === 'user' ? who.user : who.uid}" cannot be a tenant: ${formatCause(cause)}`,
    );
    return undefined;
  }

  /** A fleet's policy may name an account before the panel of the host has made it. */
  #reportUnknown(at: Span, user: string): void {
    const unknown = `There is no user "${user}" on this host`;
    if (this.#diagnostics.isElsewhere(at))
      this.#diagnostics.warn(at, `${unknown}; it becomes a tenant when it exists`);
    else this.#diagnostics.error(at, unknown + this.#diagnostics.hint(user, this.#byName.keys()));
  }

  /** Returns why a uid is never a tenant; undefined if it may be one. */
  neverTenant(uid: number): Cause | undefined {
    const { uidMin } = this.#facts;
    if (uid === 0) return { reason: 'uid 0 is root' };
    if (uid === nobody) return { reason: `uid ${nobody} is nobody, shared by many daemons` };
    if (uid >= uidMin) return undefined;
    return {
      reason: `uid ${uid} belongs to the system (UID_MIN in /etc/login.defs is ${uidMin})`,
    };
  }
}
