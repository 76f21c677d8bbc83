/**
 * The caller of the API, and what it may see. Root sees everything, a reseller itself and its tenants, a tenant itself.
 * Whoever sees a tenant sees its sites, too. Only root and the tenant itself see command lines. A process in a jail sees
 * what its tenant sees of itself, and changes nothing but its tenant's applications, which start in that jail.
 */
import type { Asker } from '../../store/history/history.ts';
import { resellerMember, tenantMember } from '../../usage/member.ts';
import type { Membership } from '../sampling/membership.ts';
import type { MemberEntry, MemberIndex } from '../sampling/member-index.ts';

/**
 * `token`: over TCP, with the administrator's secret; sees everything and can change nothing. `jailed`: through the
 * socket in jails, with the uid of a tenant.
 */
export type Caller =
  | { readonly kind: 'uid'; readonly uid: number }
  | { readonly kind: 'jailed'; readonly uid: number }
  | { readonly kind: 'token' };

export const isAdministrator = (caller: Caller): boolean =>
  caller.kind === 'token' || (caller.kind === 'uid' && caller.uid === 0);

/** Returns the account on which a query of the history is charged. */
export const askerOf = (caller: Caller): Asker =>
  caller.kind === 'token' || isAdministrator(caller) ? 'administrator' : caller.uid;

export const mayChange = (caller: Caller): boolean => caller.kind === 'uid' && caller.uid === 0;

export function maySee(caller: Caller, { who, resellerUid }: MemberEntry): boolean {
  if (isAdministrator(caller)) return true;
  if (caller.kind === 'token') return false;
  if (caller.kind === 'jailed') return isTenants(caller.uid, who);
  return who.uid === caller.uid || resellerUid === caller.uid;
}

/** Whether it is the tenant or one of its sites. An account that is also a reseller is two members. */
const isTenants = (uid: number, who: MemberEntry['who']) =>
  who.kind !== 'reseller' && who.uid === uid;

export function maySeeCommands(caller: Caller, { who }: MemberEntry): boolean {
  if (caller.kind === 'token') return false;
  return isAdministrator(caller) || isTenants(caller.uid, who);
}

/**
 * Returns the time since when a caller may see a member's history. An administrator sees everything. Others see nothing
 * older than the current owner of the member's uid, or of their own.
 */
export function seesSince(caller: Caller, { who }: MemberEntry, membership: Membership): number {
  if (caller.kind === 'token' || isAdministrator(caller)) return 0;
  const own = [tenantMember(caller.uid), resellerMember(caller.uid)]
    .map((each) => membership.beginningOf(each))
    .filter(Number.isFinite);
  return Math.max(membership.beginningOf(who.member), ...own);
}

export function visibleEntries(caller: Caller, memberIndex: MemberIndex): readonly MemberEntry[] {
  const all = [...memberIndex.entries.values()];
  return isAdministrator(caller) ? all : all.filter((each) => maySee(caller, each));
}
