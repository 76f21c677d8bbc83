/**
 * Disk space and number of files, enforced by the kernel's user quotas on the home's file system.
 *
 * Cgroups play no part: a quota belongs to a uid on one file system. `plan/quota.ts` plans its
 * settings, the same for v1 and v2. Source: quotactl(2).
 */
import { unlimited } from '../../packages/base/quantity.ts';
import { full, withoutFiles, type Limit, type SupportContext } from './limit.ts';
import { weakSupport, type Support } from './support.ts';

function support(_attribute: string, context: SupportContext): Support {
  const homes = context.fileSystems.filter((each) => each.devices.length > 0);
  const without = homes.filter((each) => !each.userQuota);
  if (without.length === 0 && homes.length > 0) return full;
  const places = without.map((each) => `${each.mountPoint} (${each.type})`).join(', ');
  return weakSupport(
    without.length === homes.length ? 'none' : 'partial',
    [homes.length === 0 ? { code: 'no block device' } : { code: 'no user quotas', value: places }],
    { code: 'user quotas' },
  );
}

const kernel = withoutFiles(support);

export const disk: Limit = {
  name: 'disk',
  summary: 'Disk space and files, on the file system of the home directory.',
  attributes: {
    space: {
      kind: 'bytes',
      fallback: unlimited,
      unlimited: true,
      min: 1024,
      summary: 'The maximum space used by its files. Above it, writing fails.',
    },
    files: {
      kind: 'count',
      fallback: unlimited,
      unlimited: true,
      min: 1,
      summary: 'The maximum number of files and directories it owns.',
    },
  },
  faults: [],
  cgroup2: kernel,
  cgroup1: kernel,
};
