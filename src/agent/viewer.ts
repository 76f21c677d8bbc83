/**
 * Who asks, and what that one may see: root everything, a reseller itself and its tenants, a
 * tenant itself. The command lines of a tenant are for root and the tenant alone.
 */
import type { Asker } from '../store/history.ts';
import { resellerMember, tenantMember } from '../usage/member.ts';
import type { Membership } from './membership.ts';
import type { Entry, Roster } from './roster.ts';

/** `token`: over TCP, with the administrator's secret; it sees all and changes nothing. */
export type Viewer = { readonly kind: 'uid'; readonly uid: number } | { readonly kind: 'token' };

export const isAdministrator = (viewer: Viewer): boolean =>
  viewer.kind === 'token' || viewer.uid === 0;

/** Whose turn a question to the history takes. */
export const askerOf = (viewer: Viewer): Asker =>
  viewer.kind === 'token' || viewer.uid === 0 ? 'administrator' : viewer.uid;

export const mayChange = (viewer: Viewer): boolean => viewer.kind === 'uid' && viewer.uid === 0;

export function maySee(viewer: Viewer, { who, resellerUid }: Entry): boolean {
  if (isAdministrator(viewer)) return true;
  if (viewer.kind !== 'uid') return false;
  return who.uid === viewer.uid || resellerUid === viewer.uid;
}

export function maySeeCommands(viewer: Viewer, { who }: Entry): boolean {
  if (viewer.kind !== 'uid') return false;
  return viewer.uid === 0 || (who.kind === 'tenant' && who.uid === viewer.uid);
}

/**
 * From when on it may see what is kept of a member: an administrator everything, others nothing that is
 * older than the member's own beginning, or than their own.
 */
export function seesSince(viewer: Viewer, { who }: Entry, membership: Membership): number {
  if (viewer.kind !== 'uid' || viewer.uid === 0) return 0;
  const own = [tenantMember(viewer.uid), resellerMember(viewer.uid)]
    .map((each) => membership.beginningOf(each))
    .filter(Number.isFinite);
  return Math.max(membership.beginningOf(who.member), ...own);
}

export function visibleEntries(viewer: Viewer, roster: Roster): readonly Entry[] {
  const all = [...roster.entries.values()];
  return isAdministrator(viewer) ? all : all.filter((each) => maySee(viewer, each));
}
