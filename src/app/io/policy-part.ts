/** Applications as a part of the policy: what is not wanted any more ends before limits change, the rest begins after. */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { appLayoutOf } from './layout.ts';
import { removeOwnApps } from './own-apps.ts';
import { hasApps, planApps } from './plan.ts';
import { reconcileApps, knowsApps } from './reconcile.ts';

async function plan(policy: Policy, paths: Paths): Promise<readonly string[]> {
  if (!runsSystemd() || !(knowsApps(policy, paths) || hasApps(paths))) return [];
  const layout = await appLayoutOf(paths);
  const planned = layout.ok ? planApps(policy, layout.value) : layout;
  // What cannot be read is what an apply reports.
  if (!planned.ok) return [];
  const { changed, leaving } = planned.value;
  return [
    ...leaving.map((unit) => `end and remove ${unit}`),
    ...changed.map(({ owner, app }) => `write the units of application ${owner.user}/${app.name}`),
  ];
}

/** The agent has its own part for all of this, and must not wait here. */
async function apply(
  policy: Policy,
  paths: Paths,
  by: 'command' | 'agent',
): Promise<Result<readonly Problem[], Problem>> {
  if (by === 'agent' || !runsSystemd()) return ok([]);
  return ok(await reconcileApps(policy, paths, { removesOnly: true }));
}

/** Plain `release` keeps what administrators have written, and nothing of tenants. */
const release = (paths: Paths): Promise<readonly Problem[]> => {
  const removed = removeOwnApps(paths);
  return Promise.resolve(removed.ok ? [] : [removed.error]);
};

const follow = (policy: Policy, paths: Paths): Promise<readonly Problem[]> =>
  reconcileApps(policy, paths);

export const appPolicy = { plan, apply, follow, release };

/** Returns why limits cannot be removed yet: a program whose tenant has no cgroup does not start. */
export const appReleaseBlocker = (paths: Paths): Problem | undefined =>
  hasApps(paths)
    ? {
        action: 'remove the limits',
        reason:
          'tenants have applications or database servers of their own, which do not start without them',
        hint: 'remove <app>, <apps> and <database instance="own"> from the policy and run bulkhead apply first',
      }
    : undefined;
