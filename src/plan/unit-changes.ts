/**
 * The operations on slices: write their files, move tenants away and remove their files, let systemd read all files
 * once, then let it set each slice in which something runs.
 */
import { writesOf } from './cgroup-writes.ts';
import type { Observed, UnfinishedSlice } from './observed.ts';
import type { Operation, RealizeUnit, ReloadUnits, WriteUnit } from './operations.ts';
import { removals } from './removals.ts';
import { outsideNamed } from './slice.ts';
import type { Wanted } from './wanted.ts';

const reload: ReloadUnits = { kind: 'reload' };

export function unitChanges(wanted: Wanted, observed: Observed): readonly Operation[] {
  const orphans = observed.orphans.filter(({ unit }) => unit !== undefined);
  const files: WriteUnit[] = [];
  const realized: RealizeUnit[] = [];
  for (const { unit, ...cgroup } of wanted.cgroups) {
    if (unit === undefined) continue;
    const found = observed.cgroups.get(cgroup.path);
    const writes = found?.unit?.active === true ? writesOf(cgroup, found) : [];
    const { path, label } = cgroup;
    const from = found?.unit?.text;
    if (from !== unit.text)
      files.push({ kind: 'unit', cgroup: path, label, ...unit, from, writes });
    if (writes.length > 0) {
      realized.push({ kind: 'realize', cgroup: path, label, unit: unit.unit, writes });
    }
  }
  const left = [...leftOutside(wanted, files, observed), ...leftOrphans(wanted, observed)];
  // If only the kernel differs, systemd may have been told to set other values since it read the files.
  const first = [...files, ...removals(wanted, orphans).flat()];
  const isChanged = first.length > 0 || realized.length > 0 || observed.stale === true;
  // Setting these slices leaves settings that their files do not have.
  const isUnclean = left.length > 0 || realized.some(isOutside);
  return [
    ...first,
    ...(isChanged ? [reload] : []),
    ...realized,
    ...left,
    ...(isUnclean ? [reload] : []),
  ];
}

const isOutside = ({ cgroup }: RealizeUnit) => outsideNamed(cgroup) !== undefined;

/**
 * A limit that is in no file of ours any more has no write: systemd sets the slice as its other files say. Its file may
 * be right already, written by an apply that was interrupted after that.
 */
function leftOutside(
  { cgroups }: Wanted,
  files: readonly WriteUnit[],
  observed: Observed,
): readonly RealizeUnit[] {
  const changed = files.filter(({ from }) => from !== undefined);
  const units = new Set([
    ...changed.map(({ unit }) => unit),
    ...formerSlices(observed).map(({ unit }) => unit),
  ]);
  return cgroups.flatMap(({ path, label, unit }) => {
    if (unit === undefined || outsideNamed(path) === undefined || !units.has(unit.unit)) return [];
    return observed.cgroups.get(path)?.unit?.active === true ? [leave(path, label, unit.unit)] : [];
  });
}

/** A slice that is a tenant no longer may still be outside the tenant's cgroup, or the other way round. */
function leftOrphans({ cgroups }: Wanted, observed: Observed): readonly RealizeUnit[] {
  const units = new Set(cgroups.map(({ unit }) => unit?.unit));
  const left = formerSlices(observed).filter(({ unit, active }) => active && !units.has(unit));
  return [...new Map(left.map(({ path, unit }) => [unit, leave(path, unit, unit)])).values()];
}

const formerSlices = ({ orphans, unfinished = [] }: Observed): readonly UnfinishedSlice[] => [
  ...orphans.flatMap(({ path, unit }) => (unit === undefined ? [] : [{ ...unit, path }])),
  ...unfinished,
];

const leave = (cgroup: string, label: string, unit: string): RealizeUnit => ({
  kind: 'realize',
  cgroup,
  label,
  unit,
  writes: [],
});
