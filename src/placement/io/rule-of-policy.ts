/**
 * The policy's tenants as the kernel needs them: where their cgroups are, or will be as soon as something runs in them.
 */
import { statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { readSubordinateUids } from '../../host/accounts/subordinate-uids.ts';
import type { Driver, Tree } from '../../host/driver.ts';
import type { Paths } from '../../host/paths.ts';
import { probeDriver } from '../../host/probe.ts';
import { sliceCgroup } from '../../plan/slice.ts';
import { tenantCgroup } from '../../plan/wanted.ts';
import type { Policy, Tenant } from '../../policy/policy.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { nameLengthMax, type CgroupPath, type StrictRule } from '../core/strict-rule.ts';
import { notEnforced } from './strict.ts';

/** Returns the rule; undefined if the policy has none. */
export function strictRuleOf(
  policy: Policy,
  { tree }: Driver,
  paths: Paths,
): Result<StrictRule | undefined, Problem> {
  if (policy.strict === undefined) return ok(undefined);
  const { placement, modules } = policy.strict;
  const action = 'find the cgroups of tenants for strict placement';
  const [hierarchy] = tree.hierarchies;
  if (tree.version !== 2 || hierarchy === undefined) {
    const reason = 'it needs cgroup v2, where each process has one cgroup';
    return failed({ action, reason, hint: 'take <placement> out of the policy' });
  }
  const parents = new Map<string, bigint>();
  const places: CgroupPath[] = [];
  for (const tenant of policy.tenants) {
    const path = cgroupOf(tenant, tree, hierarchy.rootPath, hierarchy.mountPoint);
    const parent = dirname(path);
    try {
      const inode = parents.get(parent) ?? statSync(parent, { bigint: true }).ino;
      parents.set(parent, inode);
      places.push(placeOf(tenant.uid, path, inode, hierarchy.mountPoint));
    } catch (error) {
      return failed({ action, object: parent, ...causeOf(error), hint: 'run: bulkhead apply' });
    }
  }
  const uids = new Set(policy.tenants.map(({ uid }) => uid));
  const ranges = readSubordinateUids(paths, uids);
  return ok({
    placement,
    modules,
    places: places.toSorted((a, b) => a.uid - b.uid),
    ranges: ranges.map(([first, last, owner]) => ({ first, last, owner })),
  });
}

/**
 * Returns the tenants for which strict placement is not enforced as the policy demands; all of them if nothing is in
 * force.
 */
export function policyNotEnforced(
  policy: Policy,
  paths: Paths,
): Result<readonly number[], Problem> {
  if (policy.strict === undefined) return ok([]);
  const driver = probeDriver(paths, policy.driver);
  if (!driver.ok) return driver;
  using probed = driver.value;
  const rule = strictRuleOf(policy, probed, paths);
  if (!rule.ok || rule.value === undefined) return rule.ok ? ok([]) : rule;
  return ok(notEnforced(rule.value, paths) ?? rule.value.places.map(({ uid }) => uid));
}

function cgroupOf(tenant: Tenant, { slices }: Tree, root: string, mountPoint: string): string {
  const isSlice = slices !== undefined && tenant.reseller === undefined;
  return isSlice
    ? join(mountPoint, sliceCgroup({ uid: tenant.uid }))
    : join(root, tenantCgroup(tenant));
}

function placeOf(uid: number, path: string, parent: bigint, mountPoint: string): CgroupPath {
  const steps = relative(mountPoint, path).split('/');
  const name = steps.at(-1) ?? '';
  // Our names are short: they are made from a number.
  if (name.length > nameLengthMax) throw new Error(`The name "${name}" of a cgroup is too long`);
  return { uid, parent, level: steps.length - 1, name };
}
