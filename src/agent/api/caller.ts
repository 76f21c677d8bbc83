/**
 * The caller of the API, and what it may see. Root sees everything, a reseller itself and its tenants, a tenant itself.
 * Whoever sees a tenant sees its sites, too. Only root and the tenant itself see command lines.
 */
import type { Asker } from '../../store/history/history.ts';
import { resellerMember, tenantMember } from '../../usage/member.ts';
import type { Membership } from '../sampling/membership.ts';
import type { MemberEntry, MemberIndex } from '../sampling/member-index.ts';

/** `token`: over TCP, with the administrator's secret; sees everything and can change nothing. */
export type Caller = { readonly kind: 'uid'; readonly uid: number } | { readonly kind: 'token' };

export const isAdministrator = (caller: Caller): boolean =>
  caller.kind === 'token' || caller.uid === 0;

/** Returns the account on which a query of the history is charged. */
export const askerOf = (caller: Caller): Asker =>
  caller.kind === 'token' || caller.uid === 0 ? 'administrator' : caller.uid;

export const mayChange = (caller: Caller): boolean => caller.kind === 'uid' && caller.uid === 0;

export function maySee(caller: Caller, { who, resellerUid }: MemberEntry): boolean {
  if (isAdministrator(caller)) return true;
  if (caller.kind !== 'uid') return false;
  return who.uid === caller.uid || resellerUid === caller.uid;
}

export function maySeeCommands(caller: Caller, { who }: MemberEntry): boolean {
  if (caller.kind !== 'uid') return false;
  return caller.uid === 0 || (who.kind !== 'reseller' && who.uid === caller.uid);
}

/**
 * Returns the time since when a caller may see a member's history. An administrator sees everything. Others see nothing
 * older than the current owner of the member's uid, or of their own.
 */
export function seesSince(caller: Caller, { who }: MemberEntry, membership: Membership): number {
  if (caller.kind !== 'uid' || caller.uid === 0) return 0;
  const own = [tenantMember(caller.uid), resellerMember(caller.uid)]
    .map((each) => membership.beginningOf(each))
    .filter(Number.isFinite);
  return Math.max(membership.beginningOf(who.member), ...own);
}

export function visibleEntries(caller: Caller, memberIndex: MemberIndex): readonly MemberEntry[] {
  const all = [...memberIndex.entries.values()];
  return isAdministrator(caller) ? all : all.filter((each) => maySee(caller, each));
}
