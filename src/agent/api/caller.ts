/**
 * The caller of the API, and what it may see. Root sees everything, a reseller itself and its tenants, a tenant itself.
 * Whoever sees a tenant sees its sites, too. Only root and the tenant itself see command lines. A process in a jail sees
 * what its tenant sees of itself, and changes nothing but its tenant's applications, which start in that jail. A session
 * of the console sees what its account sees, and nothing that the account which asked for the login may not see.
 */
import type { PolicyEditor } from '../../policy/rights/may-edit.ts';
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
  | SessionCaller
  | { readonly kind: 'token' };

/** A session of the console. */
export interface SessionCaller {
  readonly kind: 'session';
  readonly id: string;
  readonly uid: number;
  /** The account that asked for the login. */
  readonly byUid: number;
  readonly readOnly: boolean;
}

/** Whether the caller is root, and not only somebody with the administrator's token. */
export const isRoot = (caller: Caller): boolean =>
  (caller.kind === 'uid' && caller.uid === 0) ||
  (caller.kind === 'session' && caller.uid === 0 && caller.byUid === 0);

export const isAdministrator = (caller: Caller): boolean =>
  caller.kind === 'token' || isRoot(caller);

/** Returns the uid that pays for what the caller asks. */
export const payerOf = (caller: Exclude<Caller, { readonly kind: 'token' }>): number =>
  caller.kind === 'session' && caller.byUid !== 0 ? caller.byUid : caller.uid;

/** Returns the account on which a query of the history is charged. */
export const askerOf = (caller: Caller): Asker =>
  caller.kind === 'token' || isAdministrator(caller) ? 'administrator' : payerOf(caller);

export const isReadOnly = (caller: Caller): boolean => caller.kind === 'session' && caller.readOnly;

/** Returns the uid whose part of the policy a caller sees; undefined if it sees none. */
export function policyAudienceUid(caller: Caller): number | undefined {
  if (caller.kind === 'token' || caller.kind === 'jailed' || isForAnother(caller)) return undefined;
  return caller.uid !== 0 || isRoot(caller) ? caller.uid : undefined;
}

/** Returns what a caller may change of the policy, as far as its kind decides. */
export function editorOf(caller: Caller): PolicyEditor {
  const reader = (reason: string): PolicyEditor => ({ kind: 'reader', reason });
  switch (caller.kind) {
    case 'token':
      return reader('the token only reads');
    case 'jailed':
      return reader('a process in a jail may not');
    case 'uid':
    case 'session':
      if (isReadOnly(caller)) return reader('this session can change nothing');
      if (isForAnother(caller)) return reader('it is the session of another account');
      return isRoot(caller) ? { kind: 'administrator' } : { kind: 'reseller', uid: caller.uid };
  }
}

export const mayChange = (caller: Caller): boolean => isRoot(caller) && !isReadOnly(caller);

export function maySee(caller: Caller, { who, resellerUid }: MemberEntry): boolean {
  if (isAdministrator(caller)) return true;
  if (caller.kind === 'token') return false;
  if (caller.kind === 'jailed') return isTenants(caller.uid, who);
  const sees = (uid: number) => who.uid === uid || resellerUid === uid;
  return sees(caller.uid) && (!isForAnother(caller) || sees(caller.byUid));
}

/** Whether it is the session of an account that another one asked for, and that one is not root, which sees everything. */
const isForAnother = (caller: Caller): caller is SessionCaller =>
  caller.kind === 'session' && caller.byUid !== 0 && caller.byUid !== caller.uid;

/** Whether it is the tenant or one of its sites. An account that is also a reseller is two members. */
const isTenants = (uid: number, who: MemberEntry['who']) =>
  who.kind !== 'reseller' && who.uid === uid;

export function maySeeCommands(caller: Caller, { who }: MemberEntry): boolean {
  if (caller.kind === 'token') return false;
  if (isForAnother(caller)) return isTenants(caller.byUid, who);
  return isAdministrator(caller) || isTenants(caller.uid, who);
}

/**
 * Returns the time since when a caller may see a member's history. An administrator sees everything. Others see nothing
 * older than the current owner of the member's uid, or of their own.
 */
export function seesSince(caller: Caller, { who }: MemberEntry, membership: Membership): number {
  if (caller.kind === 'token' || isAdministrator(caller)) return 0;
  const uids = isForAnother(caller) ? [caller.uid, caller.byUid] : [caller.uid];
  const own = uids
    .flatMap((uid) => [tenantMember(uid), resellerMember(uid)])
    .map((each) => membership.beginningOf(each))
    .filter(Number.isFinite);
  return Math.max(membership.beginningOf(who.member), ...own);
}

export function visibleEntries(caller: Caller, memberIndex: MemberIndex): readonly MemberEntry[] {
  const all = [...memberIndex.entries.values()];
  return isAdministrator(caller) ? all : all.filter((each) => maySee(caller, each));
}
