/** Reconciles the kernel with the policy. */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { Driver } from '../../host/driver.ts';
import type { Paths } from '../../host/paths.ts';
import { probeDriver } from '../../host/probe.ts';
import type { Policy } from '../../policy/policy.ts';
import { strictRuleOf } from './rule-of-policy.ts';
import { placementGuard } from './strict.ts';

/**
 * Loads or unloads the rule; returns whether anything was changed. The cgroups must have been made.
 */
export function reconcilePlacement(
  policy: Policy,
  driver: Driver,
  paths: Paths,
): Result<boolean, Problem> {
  const rule = strictRuleOf(policy, driver, paths);
  return rule.ok ? placementGuard(paths).reconcile(rule.value) : rule;
}

export const strictPolicy = { follow: followPolicy };

/** Applies strict placement after the limits of a policy. */
function followPolicy(policy: Policy, paths: Paths): Problem | undefined {
  if (policy.strict === undefined) return problemOf(placementGuard(paths).unload());
  const driver = probeDriver(paths, policy.driver);
  if (!driver.ok) return driver.error;
  using probed = driver.value;
  return problemOf(reconcilePlacement(policy, probed, paths));
}

const problemOf = (done: Result<boolean, Problem>) => (done.ok ? undefined : done.error);

export function placementReleaseBlocker(paths: Paths): Problem | undefined {
  if (!placementGuard(paths).areInForce()) return undefined;
  return {
    action: 'remove the limits',
    reason: 'strict placement is in force, and would keep tenants from running at all',
    hint: 'take <placement> and autoload out of the policy, and run bulkhead apply, first',
  };
}
