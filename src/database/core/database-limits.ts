/** The limits on database servers in force for each tenant: the lower ones of the tenant and its reseller. */
import { unlimited } from '../../../packages/base/quantity.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { countedCpuOf } from '../../policy/databases/counted-cpu.ts';
import type { Policy, Tenant } from '../../policy/policy.ts';

/** A limit that is not set is absent. */
export interface DatabaseLimits {
  /** CPU time per time: 1 is one core. */
  readonly cpu?: number;
  readonly connections?: number;
  readonly statementMilliseconds?: number;
  readonly transactionMilliseconds?: number;
}

const fields = {
  cpu: 'database.cpu',
  connections: 'database.connections',
  statementMilliseconds: 'database.statement',
  transactionMilliseconds: 'database.transaction',
} as const satisfies Record<keyof DatabaseLimits, LimitKey>;

/** Returns the limits by uid, without tenants that have none. Empty: no server needs to be asked anything. */
export function databaseLimits({
  tenants,
  resellers,
}: Pick<Policy, 'tenants' | 'resellers'>): ReadonlyMap<number, DatabaseLimits> {
  const bounds = new Map(resellers.map(({ uid, values }) => [uid, values]));
  return new Map(
    tenants.flatMap((tenant) => {
      const { uid, values, reseller } = tenant;
      const bound = reseller === undefined ? {} : (bounds.get(reseller) ?? {});
      const limits = withCounted(lowerOf(values, bound), tenant);
      return Object.keys(limits).length === 0 ? [] : [[uid, limits] as const];
    }),
  );
}

/** The servers alone may use no more than a CPU limit toward which their use counts. */
function withCounted(limits: DatabaseLimits, tenant: Tenant): DatabaseLimits {
  const counted = countedCpuOf(tenant);
  return counted === undefined
    ? limits
    : { ...limits, cpu: Math.min(limits.cpu ?? Infinity, counted) };
}

const lowerOf = (own: LimitValues, bound: LimitValues): DatabaseLimits =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([field, key]) => {
      const value = Math.min(numberOf(own[key]), numberOf(bound[key]));
      return value === Infinity ? [] : [[field, value]];
    }),
  );

const numberOf = (value: LimitValues[LimitKey]): number =>
  value === undefined || value === unlimited ? Infinity : value;
