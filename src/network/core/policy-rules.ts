/** Policy → the network rules of its tenants. */
import { unlimited } from '../../../packages/base/quantity.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import {
  listenOf,
  reachOf,
  type ListenElement,
  type ReachElement,
} from '../../policy/network/reach.ts';
import { listenOriginOf, reachOriginOf } from '../../policy/network/reach-origins.ts';
import { givenLimits, nameOf, type Policy, type Tenant } from '../../policy/policy.ts';
import type { NetworkLimits, NetworkRules, TenantNetwork } from './rules.ts';

/**
 * Returns the rules; undefined if the policy says nothing of the network. All tenants are in them, also those without rules of
 * their own: others may not reach their ports. Limits that are only observed are not in them.
 */
export function networkRules(
  policy: Policy,
  { ranges, servedPorts }: Pick<NetworkRules, 'ranges' | 'servedPorts'>,
): NetworkRules | undefined {
  if (!saysAnything(policy)) return undefined;
  const resellers = new Map(
    policy.resellers.flatMap((each) => {
      const limits = limitsOf(each.values);
      return isEmpty(limits) ? [] : [[each.uid, { name: nameOf(each), limits }] as const];
    }),
  );
  const make = { reach: onceFor(reachOf), listen: onceFor(listenOf) };
  return {
    tenants: policy.tenants.map((each) => ({
      ...tenantRules(each, make),
      ...resellerOf(resellers.get(each.reseller ?? -1)?.name),
    })),
    resellers: new Map([...resellers.values()].map(({ name, limits }) => [name, limits])),
    ranges,
    servedPorts,
  };
}

const resellerOf = (name: string | undefined): Pick<TenantNetwork, 'reseller'> =>
  name === undefined ? {} : { reseller: name };

function saysAnything(policy: Policy): boolean {
  const limited = [...policy.tenants, ...policy.resellers];
  return (
    limited.some((each) => !isEmpty(limitsOf(givenLimits(each)))) ||
    policy.tenants.some(
      ({ chain }) => reachOriginOf(chain) !== undefined || listenOriginOf(chain) !== undefined,
    )
  );
}

interface Make {
  readonly reach: (element: ReachElement) => NonNullable<TenantNetwork['reach']>;
  readonly listen: (element: ListenElement) => NonNullable<TenantNetwork['listen']>;
}

function tenantRules({ uid, values, chain }: Tenant, make: Make): TenantNetwork {
  const [reach, listen] = [reachOriginOf(chain)?.at, listenOriginOf(chain)?.at];
  return {
    uid,
    limits: limitsOf(values),
    ...(reach && { reach: make.reach(reach) }),
    ...(listen && { listen: make.listen(listen) }),
  };
}

/** Tenants that inherit the same element have the same object. */
function onceFor<Element extends object, Made>(make: (element: Element) => Made) {
  const known = new Map<Element, Made>();
  return (element: Element): Made => {
    const made = known.get(element) ?? make(element);
    known.set(element, made);
    return made;
  };
}

function limitsOf(values: LimitValues): NetworkLimits {
  const limit = (key: LimitKey) => {
    const value = values[key];
    return value === undefined || value === unlimited ? undefined : value;
  };
  const [send, receive, connections] = [
    limit('network.send'),
    limit('network.receive'),
    limit('network.connections'),
  ];
  return {
    ...(send !== undefined && { send }),
    ...(receive !== undefined && { receive }),
    ...(connections !== undefined && { connections }),
  };
}

const isEmpty = (limits: NetworkLimits): boolean => Object.keys(limits).length === 0;
