/**
 * A measured unit: `u1001`, a tenant; `u1001/shop.example`, one of its sites; or `r1000`, a reseller as the sum of its
 * tenants. A uid may be both, since a reseller's own account can be a tenant.
 */
export type Member = `u${number}` | `r${number}` | `u${number}/${string}`;
export type MemberKind = 'tenant' | 'reseller' | 'site';

export const tenantMember = (uid: number): Member => `u${uid}`;
export const resellerMember = (uid: number): Member => `r${uid}`;
export const siteMember = (uid: number, name: string): Member => `u${uid}/${name}`;

export function kindOf(member: Member): MemberKind {
  if (member.startsWith('r')) return 'reseller';
  return member.includes('/') ? 'site' : 'tenant';
}

/** Returns the uid; for a site its tenant's. */
export const uidOf = (member: Member): number => Number.parseInt(member.slice(1), 10);
