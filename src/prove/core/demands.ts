/** The demands of a policy: the attacks that it requires to be blocked. */
import { unlimited } from '../../../packages/base/quantity.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { PolicyDocument } from '../../policy/document.ts';
import { jailOf, type Policy } from '../../policy/policy.ts';
import type { AttackDemand } from './attack.ts';

export type Demands = ReadonlySet<AttackDemand>;

export const nothingDemanded: Demands = new Set();

export function demandsOf(policy: Policy, { symlinks }: Pick<PolicyDocument, 'symlinks'>): Demands {
  const demands = new Set<AttackDemand>();
  for (const tenant of policy.tenants) {
    const { values } = tenant;
    demands.add('separation');
    if (jailOf(tenant) !== undefined) demands.add('jail');
    for (const [key, value] of Object.entries(values)) {
      if (value === undefined || value === unlimited) continue;
      demands.add(key as LimitKey).add('limits');
    }
  }
  if (symlinks !== undefined) demands.add('symlinks');
  if (policy.strict?.placement === 'on') demands.add('placement');
  return demands;
}
