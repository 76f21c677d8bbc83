/** The kernel's files with the CPU limits of tenants to which the use of database servers counts. */
import type { Driver } from '../../../host/driver.ts';
import type { CgroupFiles } from '../../../host/cgroups/cgroup-files.ts';
import type { LoweredFile } from '../../../host/cgroups/lowered-quotas.ts';
import type { FileSetting } from '../../../limits/limit.ts';
import { cpuMicroseconds, isCpuTime, isQuota } from '../../../limits/lowered-cpu.ts';
import { cgroupInSlice } from '../../../plan/slice.ts';
import { wantedOnHost } from '../../../plan/wanted-on-host.ts';
import { tenantOfCgroup } from '../../../plan/wanted.ts';
import { countedCpuOf } from '../../../policy/databases/counted-cpu.ts';
import type { Policy } from '../../../policy/policy.ts';

/** A file, and what the policy wants in it. */
export interface CountedFile extends LoweredFile {
  readonly cgroup: string;
  readonly setting: FileSetting;
}

/** The CPU limit of a tenant. */
export interface CountedLimit {
  readonly uid: number;
  /** Microseconds of each period. */
  readonly full: number;
  /** The files, in the order in which higher values may be written: the tenant's first, quotas before bursts. */
  readonly files: readonly CountedFile[];
}

export function cpuFilesOf({ tree }: Pick<Driver, 'tree'>): CgroupFiles | undefined {
  return tree.hierarchies.find(({ controllers }) => controllers.has('cpu'))?.files;
}

/**
 * Returns the limits by uid: of tenants to whose limit it counts, and of `also` as the policy wants them without that. On
 * v1 the parts of a tenant are included, since the kernel refuses a quota below those in it.
 */
export function countedLimits(
  policy: Policy,
  driver: Pick<Driver, 'tree' | 'context'>,
  also: ReadonlySet<number>,
): ReadonlyMap<number, CountedLimit> {
  const counted = new Set(
    policy.tenants.filter((each) => countedCpuOf(each) !== undefined).map(({ uid }) => uid),
  );
  if (counted.size + also.size === 0) return new Map();
  const cgroups = wantedOnHost(policy, driver.context).cgroups.flatMap((cgroup) => {
    const uid = tenantOfCgroup(cgroup.path);
    const isMeant = uid !== undefined && (counted.has(uid) || also.has(uid));
    const isPart = cgroup.kind === 'main' || cgroup.kind === 'site';
    const isHere = cgroup.kind === 'tenant' || (isPart && driver.context.version === 1);
    return isMeant && isHere ? [{ ...cgroup, uid }] : [];
  });
  const byUid = Map.groupBy(cgroups, ({ uid }) => uid);
  return new Map(
    [...byUid].flatMap(([uid, own]) => {
      const files = own.flatMap(({ path, settings }) => filesOf(uid, path, settings, driver));
      const [first] = files;
      const full = cpuMicroseconds(first?.setting.value ?? '');
      return first === undefined ? [] : [[uid, { uid, full, files }] as const];
    }),
  );
}

function filesOf(
  uid: number,
  cgroup: string,
  settings: readonly FileSetting[],
  { tree }: Pick<Driver, 'tree'>,
): readonly CountedFile[] {
  const hierarchy = tree.hierarchies.find(({ controllers }) => controllers.has('cpu'));
  const inSlice = tree.slices === undefined ? undefined : cgroupInSlice(cgroup);
  const directory =
    inSlice === undefined
      ? `${hierarchy?.rootPath}/${cgroup}`
      : `${hierarchy?.mountPoint}/${inSlice}`;
  const own = settings
    .filter(isCpuTime)
    .toSorted((a, b) => Number(isQuota(b)) - Number(isQuota(a)));
  return own.map((setting) => ({
    uid,
    cgroup,
    setting,
    path: `${directory}/${setting.file}`,
    text: setting.write,
  }));
}
