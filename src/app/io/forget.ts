/** Forgets what is kept for accounts that are no tenants any more. Only the agent does so, under the lock of applications. */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { appKey, uidOfKey } from '../core/names.ts';
import { keepDisabled } from './disabled-file.ts';
import { appPaths } from './layout.ts';
import { formerOwners, writeOwnApps, type Homes } from './own-apps.ts';

/** Forgets their definitions, and which of their applications are disabled. */
export function forgetFormer(
  paths: Paths,
  policy: Pick<Policy, 'tenants'>,
  homes: Homes,
): readonly Problem[] {
  const former = formerOwners(paths, policy, homes);
  if (!former.ok) return [former.error];
  const tenants = new Map(policy.tenants.map((each) => [each.uid, each]));
  const isKept = (key: string) => {
    const uid = uidOfKey(key);
    const tenant = tenants.get(uid);
    const ofPolicy = (tenant?.apps ?? []).map(({ name }) => appKey({ uid, name }));
    return tenant !== undefined && (!former.value.includes(uid) || ofPolicy.includes(key));
  };
  // In this order: the definitions tell who is a former owner.
  const results = [
    keepDisabled(appPaths(paths).disabled, isKept),
    ...former.value.map((uid) => writeOwnApps(paths, uid, { name: '', apps: [] })),
  ];
  return results.flatMap((each) => (each.ok ? [] : [each.error]));
}
