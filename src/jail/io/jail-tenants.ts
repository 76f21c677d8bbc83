/** The tenants of a policy that have a jail. */
import { jailOf, type Policy } from '../../policy/policy.ts';
import type { JailTenant } from './build/protocol.ts';

export const jailTenants = ({ tenants }: Policy): readonly JailTenant[] =>
  tenants.flatMap((tenant) => {
    const jail = jailOf(tenant);
    return jail === undefined ? [] : [{ uid: tenant.uid, account: tenant.account, jail }];
  });
