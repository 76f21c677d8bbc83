/** Faults of tenants that had to be stopped because they start processes faster than they can be placed. */
import type { Fault } from '../../usage/fault.ts';
import { tenantMember } from '../../usage/member.ts';
import type { MemberIndex } from './member-index.ts';

/**
 * Returns a fault of the processes limit, which such a tenant would otherwise bypass; none if no processes limit is in
 * force, since there is nothing to bypass.
 */
export function haltFaults(
  uid: number,
  { entries }: Pick<MemberIndex, 'entries'>,
): readonly Fault[] {
  const member = tenantMember(uid);
  if (entries.get(member)?.limits['processes.limit'] === undefined) return [];
  return [{ member, limit: 'processes.limit', severity: 'refused', count: 1, inferred: false }];
}
