/**
 * Guarantees, such as memory that the kernel leaves to a tenant.
 *
 * The kernel grants a cgroup no more than a part of the guarantee of each cgroup above it. So a reseller, and a tenant
 * with sites, has the sum of the guarantees inside it, unless the policy sets its own. Limits that tenants and resellers
 * set for sites never raise what is above the sites.
 */
import type { Quantity } from '../../../packages/base/quantity.ts';
import { attributes } from '../../limits/limits.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import type { Policy, Site } from '../policy.ts';

const keys: readonly LimitKey[] = [...attributes.values()].flatMap(({ key, isGuarantee }) =>
  isGuarantee === true ? [key] : [],
);

export const isGuarantee = (key: LimitKey): boolean => keys.includes(key);

type Valued = { readonly values: LimitValues };

export const sumOfLimit = (key: LimitKey, all: readonly Valued[]): number =>
  all.reduce((sum, { values }) => sum + Number(values[key] ?? 0), 0);

/** Returns the sums of the guarantees; none where nothing is guaranteed. */
export const guaranteesOf = (all: readonly Valued[]): LimitValues =>
  Object.fromEntries(
    keys.flatMap((key) => {
      const sum = sumOfLimit(key, all) as Quantity;
      return sum === 0 ? [] : [[key, sum]];
    }),
  );

/** Returns the policy with the guarantees of resellers, and of tenants with sites, that it does not set. */
export function withGuarantees(policy: Policy): Policy {
  const tenants = policy.tenants.map((each) =>
    each.sites.length === 0 ? each : around(each, each.sites.map(writtenGuarantees)),
  );
  const inside = Map.groupBy(tenants, ({ reseller }) => reseller);
  const resellers = policy.resellers.map((each) => around(each, inside.get(each.uid) ?? []));
  return { ...policy, tenants, resellers };
}

/** Returns an unchanged object if nothing is guaranteed inside: many tenants share one set of values. */
function around<Outer extends Valued>(outer: Outer, inside: readonly Valued[]): Outer {
  const sums = guaranteesOf(inside);
  if (Object.keys(sums).length === 0) return outer;
  return { ...outer, values: { ...sums, ...outer.values } };
}

/** Returns the guarantees that the policy sets for a site, without those of its tenant or reseller. */
export function writtenGuarantees({ values, own = [] }: Site): Valued {
  const isOwn = (key: LimitKey) =>
    own.some((each) => each.key === key && each.state === 'in force');
  const written = keys.filter((key) => !isOwn(key)).map((key) => [key, values[key] ?? 0]);
  return { values: Object.fromEntries(written) as LimitValues };
}
