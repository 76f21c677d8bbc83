/** Reconciles the guard with the policy and the administrator's choice: after each apply, and at boot. */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import type { Policy } from '../../../policy/policy.ts';
import { underLock } from '../../../sys/files/under-lock.ts';
import { choiceLock, readGuardChoice } from './choice.ts';
import { loadGuard, symlinkGuard } from './guard.ts';
import { resolveRule } from './names.ts';

/** Loads or unloads the guard; returns whether anything was changed. */
export function reconcileGuard(
  { symlinks }: Pick<Policy, 'symlinks'>,
  paths: Paths,
): Result<boolean, Problem> {
  if (symlinks === undefined && !symlinkGuard(paths).areInForce()) return ok(false);
  return underLock(choiceLock(paths), () => {
    const choice = readGuardChoice(paths);
    if (symlinks === undefined || choice === 'off') return symlinkGuard(paths).unload();
    const rule = resolveRule(symlinks, choice, paths);
    return rule.ok ? loadGuard(rule.value, paths) : rule;
  });
}

/** Applies the policy; if there is neither a rule nor a loaded guard, it does not wait for the library. */
function followPolicy(policy: Policy, paths: Paths): Problem | undefined {
  const done = reconcileGuard(policy, paths);
  return done.ok ? undefined : done.error;
}

export function guardReleaseBlocker(paths: Paths): Problem | undefined {
  if (!symlinkGuard(paths).areInForce()) return undefined;
  return {
    action: 'remove the limits',
    reason: 'the symlink guard is on',
    hint: 'run bulkhead symlinks guard disable first',
  };
}

export const guardPolicy = { follow: followPolicy };
