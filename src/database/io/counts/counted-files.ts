/** The kernel's files with the CPU limits of tenants to which the use of database servers counts. */
import { unlimited } from '../../../../packages/base/quantity.ts';
import type { Driver } from '../../../host/driver.ts';
import type { CgroupFiles } from '../../../host/cgroups/cgroup-files.ts';
import type { LoweredFile } from '../../../host/cgroups/lowered-quotas.ts';
import type { FileSetting } from '../../../limits/limit.ts';
import { cpuMicroseconds, isCpuTime, isQuota } from '../../../limits/lowered-cpu.ts';
import { cgroupInSlice } from '../../../plan/slice.ts';
import { wantedOnHost } from '../../../plan/wanted-on-host.ts';
import { uidOfCgroup, type WantedCgroup } from '../../../plan/wanted.ts';
import { countedCpuOf } from '../../../policy/databases/counted-cpu.ts';
import type { Policy } from '../../../policy/policy.ts';
import { resellerMember, tenantMember, uidOf, type Member } from '../../../usage/member.ts';

/** A file, and what the policy wants in it. */
export interface CountedFile extends LoweredFile {
  readonly cgroup: string;
  readonly setting: FileSetting;
}

/** The CPU limit of a tenant or a reseller. */
export interface CountedLimit {
  readonly member: Member;
  /** Whether the use of servers lowers it; false if it only has to be restored. */
  readonly isCounted: boolean;
  /** The reseller of a tenant whose limit is lowered with the tenant's. */
  readonly reseller?: Member | undefined;
  /** Microseconds of each period. */
  readonly full: number;
  /** The files, in the order in which higher values may be written: the tenant's first, quotas before bursts. */
  readonly files: readonly CountedFile[];
}

export function cpuFilesOf({ tree }: Pick<Driver, 'tree'>): CgroupFiles | undefined {
  return tree.hierarchies.find(({ controllers }) => controllers.has('cpu'))?.files;
}

/**
 * Returns the limits of tenants to whose limit it counts, of their resellers, and of `also` as the policy wants them
 * without that. On v1 the parts of a tenant are included, since the kernel refuses a quota below those in it. For the same
 * reason no reseller is: all its tenants would have to be lowered with it.
 */
export function countedLimits(
  policy: Policy,
  driver: Pick<Driver, 'tree' | 'context'>,
  also: ReadonlySet<Member>,
): ReadonlyMap<Member, CountedLimit> {
  const { version } = driver.context;
  const resellerBy = resellersOf(policy, version);
  const counted = new Set<Member | undefined>([...resellerBy].flat());
  if (resellerBy.size + also.size === 0) return new Map();
  const cgroups = wantedOnHost(policy, driver.context).cgroups.flatMap((cgroup) => {
    const member = memberOf(cgroup, version);
    const isMeant = member !== undefined && (counted.has(member) || also.has(member));
    return isMeant ? [{ ...cgroup, member }] : [];
  });
  const byMember = Map.groupBy(cgroups, ({ member }) => member);
  return new Map(
    [...byMember].flatMap(([member, own]) => {
      const files = own.flatMap(({ path, settings }) =>
        filesOf(uidOf(member), path, settings, driver),
      );
      const [first] = files;
      const full = cpuMicroseconds(first?.setting.value ?? '');
      const reseller = resellerBy.get(member);
      const limit = { member, isCounted: counted.has(member), full, files, reseller };
      return first === undefined ? [] : [[member, limit] as const];
    }),
  );
}

/** Returns the tenants to whose limit it counts, with the reseller whose limit is lowered with theirs. */
function resellersOf(
  { tenants, resellers }: Policy,
  version: 1 | 2,
): ReadonlyMap<Member, Member | undefined> {
  const limited = new Set(version === 1 ? [] : resellers.filter(hasCpuLimit).map(({ uid }) => uid));
  return new Map(
    tenants
      .filter((each) => countedCpuOf(each) !== undefined)
      .map(({ uid, reseller }) => {
        const isLimited = reseller !== undefined && limited.has(reseller);
        return [tenantMember(uid), isLimited ? resellerMember(reseller) : undefined];
      }),
  );
}

const hasCpuLimit = ({ values }: Policy['resellers'][number]) =>
  (values['cpu.limit'] ?? unlimited) !== unlimited;

/** Returns whose limit a cgroup's is; undefined if it is not lowered with a limit. */
function memberOf({ kind, path }: WantedCgroup, version: 1 | 2): Member | undefined {
  const uid = uidOfCgroup(path) ?? -1;
  if (kind === 'reseller') return resellerMember(uid);
  const isPart = version === 1 && (kind === 'main' || kind === 'site');
  return kind === 'tenant' || isPart ? tenantMember(uid) : undefined;
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
