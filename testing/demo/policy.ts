/** The demo's policy, and the values that the meters measure. */
import { readFileSync } from 'node:fs';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import { formatErrno, errnoOf } from '../../packages/base/io/errno.ts';
import { resellerCgroup, tenantCgroup } from '../../src/plan/wanted.ts';
import { formatDiagnostic } from '../../src/policy/diagnostic.ts';
import type { Policy, Reseller, Tenant } from '../../src/policy/policy.ts';
import { unlimited } from '../../packages/base/quantity.ts';
import type { Cause } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { meters, neighbourUid, sharers, type DemoMeter } from './meter.ts';
import { paths, policyFile, policyName } from './place.ts';

/**
 * Reads the demo's policy. Unlike /etc/bulkhead/policy.xml it may belong to anyone, like the
 * program that reads it: both are in the same clone.
 */
export function readDemoPolicy(): Result<Policy, Cause> {
  let text: string;
  try {
    text = readFileSync(policyFile, 'utf8');
  } catch (error) {
    return fail({ reason: `Cannot read ${policyFile}: ${formatErrno(errnoOf(error))}` });
  }
  const { policy, diagnostics } = new PolicyReader().resolve(policyName, text, paths);
  if (policy === undefined) return fail({ reason: diagnostics.map(formatDiagnostic).join('\n') });
  const problem = missingIn(policy);
  return problem === undefined ? ok(policy) : fail({ reason: problem });
}

function missingIn(policy: Policy): string | undefined {
  const owner = [...policy.tenants, ...policy.resellers].find((each) => each.account !== undefined);
  if (owner !== undefined) {
    return `Cannot use uid ${owner.uid}: it belongs to the account "${owner.account?.user}"`;
  }
  const without = meters.find((meter) => valueOf(meter, policy) === undefined);
  if (without !== undefined) {
    return `${policyName} has no limit for the ${without.title} of uid ${without.uid}, which the demo shows`;
  }
  const known = new Set(policy.tenants.map((each) => each.uid));
  const absent = [neighbourUid, ...sharers].find((uid) => !known.has(uid));
  return absent === undefined ? undefined : `${policyName} has no tenant with the uid ${absent}`;
}

function find({ uid, isReseller }: Pick<DemoMeter, 'uid' | 'isReseller'>, policy: Policy) {
  const all: readonly (Tenant | Reseller)[] = isReseller ? policy.resellers : policy.tenants;
  return all.find((each) => each.uid === uid);
}

/** Returns the limit as a number; for a weight, its share among the sharers. */
function valueOf(meter: DemoMeter, policy: Policy): number | undefined {
  const numberOf = (uid: number) => {
    const value = find({ ...meter, uid }, policy)?.values[meter.key];
    return value === unlimited ? undefined : value;
  };
  const own = numberOf(meter.uid);
  if (own === undefined || meter.gauge !== 'share') return own;
  const all = sharers.reduce((sum, uid) => sum + (numberOf(uid) ?? 0), 0);
  return own / all;
}

export function meterLimit(meter: DemoMeter, policy: Policy): number {
  const value = valueOf(meter, policy);
  if (value === undefined) throw new Error(`The policy lost its ${meter.key}`);
  return value;
}

export function cgroupOf(meter: DemoMeter, policy: Policy): string {
  if (meter.isReseller) return resellerCgroup(meter.uid);
  const reseller = policy.tenants.find((each) => each.uid === meter.uid)?.reseller;
  return tenantCgroup({ uid: meter.uid, reseller });
}

/** Returns the cgroup that a meter's tenant shares with others. */
export const sharedCgroupOf = (cgroup: string) => cgroup.split('/')[0] ?? cgroup;
