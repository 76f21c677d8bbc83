/** The kernel as the policy wants it. */
import type { Problem } from '../../base/problem.ts';
import type { Result } from '../../base/result.ts';
import type { Driver } from '../../host/driver.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { strictRuleOf } from './rule-of-policy.ts';
import { loadStrict, unloadStrict } from './strict.ts';

/** Answers whether anything was changed. The cgroups must have been made. */
export function bringInLine(
  policy: Policy,
  driver: Driver,
  paths: Paths,
): Result<boolean, Problem> {
  const rule = strictRuleOf(policy, driver, paths);
  if (!rule.ok) return rule;
  return rule.value === undefined ? unloadStrict(paths) : loadStrict(rule.value, paths);
}
