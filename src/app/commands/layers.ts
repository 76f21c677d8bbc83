/** Applications as a layer of protection: their programs start in cgroups, and only the web server connects. */
import { count } from '../../../packages/base/list.ts';
import type { Layer } from '../../../packages/base/layer.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import { wantsApps } from '../io/reconcile.ts';
import { readApps } from '../io/states.ts';

const key = 'applications';
const improve = 'bulkhead app status';

/** Returns the layer where the policy or a tenant has applications. */
export async function appLayers({ policy, paths }: EntryPathContext): Promise<readonly Layer[]> {
  if (policy === undefined || !wantsApps(policy, paths)) return [];
  if (!runsSystemd())
    return [{ key, state: 'unavailable', reason: 'systemd is not the init of this host' }];
  const seen = await readApps(policy, paths);
  if (!seen.ok)
    return [{ key, state: 'unknown', reason: printable(formatProblem(seen.error)), improve }];
  const { plan, groupNote } = seen.value;
  const apps = seen.value.apps.filter(({ state }) => state !== 'not allowed');
  if (apps.length === 0 && plan.unreadable.length === 0) return [];
  if (apps.some(({ state }) => state === 'unknown'))
    return [{ key, state: 'unknown', reason: 'only root sees their state' }];
  const late = apps.filter(({ state }) => state === 'not applied').length;
  if (late > 0)
    return [{ key, state: 'partly', reason: `${late} of ${apps.length} not applied`, improve }];
  const fault = plan.unreadable[0] && formatProblem(plan.unreadable[0]);
  const reason = groupNote ?? fault;
  if (reason !== undefined) return [{ key, state: 'partly', reason: printable(reason), improve }];
  return [{ key, state: 'enforced', reason: count(apps.length, 'application') }];
}
