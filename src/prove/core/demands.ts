/** The demands of a policy: the attacks that it requires to be blocked. */
import { unlimited } from '../../../packages/base/quantity.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { PolicyDocument } from '../../policy/document.ts';
import { listenOriginOf, reachOriginOf } from '../../policy/network/reach-origins.ts';
import {
  listenOf,
  mailPorts,
  reachOf,
  type Listen,
  type Reach,
} from '../../policy/network/reach.ts';
import { jailOf, type Policy, type Tenant } from '../../policy/policy.ts';
import type { AttackDemand } from './attack.ts';

export type Demands = ReadonlySet<AttackDemand>;

export const nothingDemanded: Demands = new Set();

export function demandsOf(policy: Policy, { symlinks }: Pick<PolicyDocument, 'symlinks'>): Demands {
  const demands = new Set<AttackDemand>();
  for (const tenant of policy.tenants) {
    const { values } = tenant;
    demands.add('separation');
    if (jailOf(tenant) !== undefined) demands.add('jail');
    for (const each of networkDemands(tenant)) demands.add(each);
    for (const [key, value] of Object.entries(values)) {
      if (value === undefined || value === unlimited) continue;
      demands.add(key as LimitKey).add('limits');
    }
  }
  if (symlinks !== undefined) demands.add('symlinks');
  if (policy.strict?.placement === 'on') demands.add('placement');
  return demands;
}

/** Returns what the rules of a tenant refuse; rules that only watch demand nothing. */
export function networkDemands({ chain }: Pick<Tenant, 'chain'>): readonly AttackDemand[] {
  const [reach, listen] = [reachOriginOf(chain)?.at, listenOriginOf(chain)?.at];
  return [
    ...(reach?.mode.value === 'refuse' ? reachDemands(reachOf(reach)) : []),
    ...(listen?.mode.value === 'refuse' ? listenDemands(listenOf(listen)) : []),
  ];
}

const reachDemands = ({
  mail,
  tenants,
  metadata,
  rules,
  others,
}: Reach): readonly AttackDemand[] => [
  ...(mailPorts[mail].length > 0 ? ['reach.mail' as const] : []),
  ...(tenants ? [] : ['reach.tenants' as const]),
  ...(metadata ? [] : ['reach.metadata' as const]),
  ...(others === 'refuse' || rules.some(({ action }) => action === 'refuse')
    ? ['reach.address' as const]
    : []),
];

const listenDemands = ({ ports, public: isPublic }: Listen): readonly AttackDemand[] => [
  ...(ports.length > 0 ? ['listen.ports' as const] : []),
  ...(isPublic ? [] : ['listen.public' as const]),
];
