/** Changes of a whole host that are so large that people must have agreed to them. */
import { count } from '../../../packages/base/list.ts';
import { unlimited } from '../../../packages/base/quantity.ts';
import { givenLimits, observesLimits, type Policy, type Tenant } from '../policy.ts';

/** The share of the tenants that may not leave at once. */
const leavingShare = 1 / 5;
/** The share of the tenants whose memory limit may not fall below what they use. */
const squeezedShare = 1 / 20;

/**
 * Returns why a change is large; empty if it is not. `memoryBytes`: what tenants use, by uid; tenants whose use is not
 * known do not count.
 */
export function largeChange(
  before: Policy,
  after: Policy,
  memoryBytes: ReadonlyMap<number, number> = new Map(),
): readonly string[] {
  return [
    ...leavingTenants(before, after),
    ...squeezedTenants(before, after, memoryBytes),
    ...limitsOff(before, after),
  ];
}

function leavingTenants(before: Policy, after: Policy): readonly string[] {
  const staying = new Set(after.tenants.map(({ uid }) => uid));
  const leaving = before.tenants.filter(({ uid }) => !staying.has(uid)).length;
  const all = before.tenants.length;
  if (leaving === 0 || leaving < all * leavingShare) return [];
  return [`${leaving} of ${count(all, 'tenant')} leave`];
}

function squeezedTenants(
  before: Policy,
  after: Policy,
  memoryBytes: ReadonlyMap<number, number>,
): readonly string[] {
  const earlier = new Map(before.tenants.map((each) => [each.uid, memoryLimit(each)]));
  const squeezed = after.tenants.filter((each) => {
    const used = memoryBytes.get(each.uid);
    const was = earlier.get(each.uid);
    // Who used more under an earlier limit, or was measured less exactly, uses up the present one.
    return used !== undefined && was !== undefined && Math.min(used, was) > memoryLimit(each);
  }).length;
  const all = after.tenants.length;
  if (squeezed === 0 || squeezed < all * squeezedShare) return [];
  return [`the memory limit of ${squeezed} of ${count(all, 'tenant')} falls below what they use`];
}

function memoryLimit(tenant: Tenant): number {
  const limit = givenLimits(tenant)['memory.limit'];
  return limit === undefined || limit === unlimited ? Infinity : limit;
}

function limitsOff(before: Policy, after: Policy): readonly string[] {
  if (observesLimits(before)) return [];
  if (observesLimits(after)) return ['limits are no longer enforced, only observed'];
  const isOff = before.tenants.some(isLimited) && !after.tenants.some(isLimited);
  return isOff && after.tenants.length > 0 ? ['no tenant has a limit any more'] : [];
}

const isLimited = (tenant: Tenant): boolean =>
  Object.values(givenLimits(tenant)).some((each) => each !== undefined && each !== unlimited);
