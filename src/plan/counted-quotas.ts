/**
 * CPU limits that the agent lowers, since the CPU time of database servers counts toward them: while an agent runs, a
 * plan takes a lowered quota for the wanted one. So it does with resellers above such tenants, except on v1.
 */
import type { FileSetting } from '../limits/limit.ts';
import { isCpuTime, mayBeLowered, mayBeLoweredPart } from '../limits/lowered-cpu.ts';
import { countedCpuOf } from '../policy/databases/counted-cpu.ts';
import type { Policy } from '../policy/policy.ts';
import { tenantOfCgroup, uidOfCgroup, type WantedCgroup, type WantedContext } from './wanted.ts';

export function acceptCounted(
  cgroups: readonly WantedCgroup[],
  { tenants }: Pick<Policy, 'tenants'>,
  { shifted, version }: Pick<WantedContext, 'shifted' | 'version'>,
): readonly WantedCgroup[] {
  if (shifted !== true) return cgroups;
  const counting = tenants.filter((each) => countedCpuOf(each) !== undefined);
  const counted = new Set(counting.map(({ uid }) => uid));
  const resellers = new Set(counting.map(({ reseller }) => reseller));
  if (counted.size === 0) return cgroups;
  const ofTenant = accepting(mayBeLowered);
  const ofPart = accepting(mayBeLoweredPart);
  return cgroups.map((cgroup) => {
    const { kind, settings, path } = cgroup;
    const isCounted =
      kind === 'reseller'
        ? version === 2 && resellers.has(uidOfCgroup(path))
        : counted.has(tenantOfCgroup(path) ?? -1);
    if (!isCounted) return cgroup;
    if (kind === 'tenant' || kind === 'reseller')
      return { ...cgroup, settings: ofTenant(settings) };
    const isLowered = version === 1 && (kind === 'main' || kind === 'site');
    return isLowered ? { ...cgroup, settings: ofPart(settings) } : cgroup;
  });
}

/** Thousands of tenants share a few sets of settings. */
function accepting(
  isFine: (setting: FileSetting, text: string | undefined) => boolean,
): (settings: readonly FileSetting[]) => readonly FileSetting[] {
  const known = new Map<readonly FileSetting[], readonly FileSetting[]>();
  const make = (settings: readonly FileSetting[]) =>
    settings.map((each): FileSetting =>
      isCpuTime(each) ? { ...each, accepts: (read) => isFine(each, read(each.file)) } : each,
    );
  return (settings) => {
    const made = known.get(settings) ?? make(settings);
    known.set(settings, made);
    return made;
  };
}
