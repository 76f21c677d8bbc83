/**
 * The time since when each member has its current owner. It is determined whenever a policy is adopted, and kept in the
 * store, so that an account replaced while no agent was running is noticed, too. A member that leaves the policy ends,
 * and starts over when it returns.
 */
import type { AccountNames } from '../../host/accounts/account-names.ts';
import type { EventStore } from '../../store/events/event-store.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { printable } from '../../../packages/base/printable.ts';
import { uidOf, type Member } from '../../usage/member.ts';
import type { UidOwner } from '../../policy/accounts/uid-owner.ts';
import { continued, type Tenancy } from '../../usage/tenancy.ts';
import type { MemberEntry } from './member-index.ts';

interface Followed {
  /** Members with a new owner, or never seen before. */
  readonly begun: ReadonlySet<Member>;
  /** Whether the store has it too. */
  readonly saved: Result<void, Problem>;
}

export class Membership {
  readonly #events: EventStore;
  readonly #accounts: AccountNames;
  #known: ReadonlyMap<Member, Tenancy> | undefined;

  constructor(events: EventStore, accounts: AccountNames) {
    this.#events = events;
    this.#accounts = accounts;
  }

  /** Determines the owners of the members; `homes` by uid. If the store cannot be read, members count as never seen. */
  follow(
    entries: ReadonlyMap<Member, MemberEntry>,
    homes: ReadonlyMap<number, string>,
    at: number,
  ): Followed {
    const known = this.#known ?? this.#read();
    const now = new Map<Member, Tenancy>();
    const kept = new Map<Member, Tenancy>();
    const begun = new Set<Member>();
    for (const [member, { who }] of entries) {
      const before = known.get(member);
      // The owner of the tenant also owns its sites.
      const holder = { name: who.tenant ?? who.name, home: homes.get(who.uid) };
      const tenancy = continued(before, holder, at);
      now.set(member, tenancy);
      if (tenancy !== before) kept.set(member, tenancy);
      if (tenancy.since !== before?.since) begun.add(member);
    }
    const ended = [...known.keys()].filter((member) => !now.has(member));
    this.#known = now;
    const isSame = kept.size === 0 && ended.length === 0;
    const saved = isSame ? ok(undefined) : this.#events.keepTenancies({ kept, begun, ended });
    return { begun, saved };
  }

  /** Returns the current owner; undefined if nobody is known to own it now. */
  ownerOf(member: Member): UidOwner | undefined {
    const known = this.#known?.get(member);
    if (known === undefined || this.#isRenamed(uidOf(member), known.name)) return undefined;
    return { name: known.name, home: known.home };
  }

  #read(): ReadonlyMap<Member, Tenancy> {
    const found = this.#events.tenancies();
    return found.ok ? found.value : new Map();
  }

  /**
   * Returns the time since when the member has its owner, in milliseconds since 1970. It is Infinity for a former
   * member, and for one whose account has a different name by now, until a policy has been adopted with it.
   */
  beginningOf(member: Member): number {
    const known = this.#known?.get(member);
    if (known === undefined || this.#isRenamed(uidOf(member), known.name)) return Infinity;
    return known.since;
  }

  /** Whether the uid's account has another name now. Accounts of a directory service are not in the file. */
  #isRenamed(uid: number, name: string): boolean {
    const names = this.#accounts.namesOf(uid);
    return names.length > 0 && !names.some((each) => printable(each) === name);
  }
}
