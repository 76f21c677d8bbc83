/**
 * Who is measured: `u1001`, a tenant, or `r1000`, a reseller as the sum of its tenants. A uid may
 * be both, since a reseller's own account can be a tenant.
 */
export type Member = `u${number}` | `r${number}`;

export const tenantMember = (uid: number): Member => `u${uid}`;
export const resellerMember = (uid: number): Member => `r${uid}`;

export const uidOf = (member: Member): number => Number(member.slice(1));
export const isReseller = (member: Member): boolean => member.startsWith('r');
