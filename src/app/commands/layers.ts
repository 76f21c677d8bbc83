/** Applications as a layer of protection: their programs start in cgroups, and only the web server connects. */
import type { Layer } from '../../../packages/base/layer.ts';
import { because } from '../../../packages/base/layer-texts.ts';
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
  if (!runsSystemd()) return [{ key, state: 'unavailable', ...because('no systemd') }];
  const seen = await readApps(policy, paths);
  if (!seen.ok)
    return [{ key, state: 'unknown', reason: printable(formatProblem(seen.error)), improve }];
  const { plan, groupNote } = seen.value;
  const apps = seen.value.apps.filter(({ state }) => state !== 'not allowed');
  if (apps.length === 0 && plan.unreadable.length === 0) return [];
  if (apps.some(({ state }) => state === 'unknown'))
    return [{ key, state: 'unknown', ...because('state for root') }];
  const late = apps.filter(({ state }) => state === 'not applied').length;
  if (late > 0)
    return [{ key, state: 'partly', ...because('apps not applied', late, apps.length), improve }];
  const fault = plan.unreadable[0] && formatProblem(plan.unreadable[0]);
  const reason = groupNote ?? fault;
  if (reason !== undefined) return [{ key, state: 'partly', reason: printable(reason), improve }];
  return [{ key, state: 'enforced', ...because('applications', apps.length) }];
}
