/**
 * Returns why limits cannot be released yet. A service whose tenant has no cgroup does not start, so
 * services must go first.
 */
import { globSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Problem } from '../../../../packages/base/problem.ts';
import type { Paths } from '../../../host/paths.ts';

export function fpmReleaseBlocker({ etc, instance }: Paths): Problem | undefined {
  const versions = globSync(`${etc}/${instance}/fpm/*/tenants`).map((path) =>
    basename(dirname(path)),
  );
  if (versions.length === 0) return undefined;
  return {
    action: 'remove the limits',
    reason: `tenants have PHP-FPM services (PHP ${versions.sort().join(', ')}), which do not start without them`,
    hint: 'run bulkhead web fpm disable --all first',
  };
}
