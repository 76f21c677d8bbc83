/**
 * The operations on slices: write their files, move tenants away and remove their files, let systemd read all files
 * once, then let it set each slice in which something runs.
 */
import { writesOf } from './cgroup-writes.ts';
import type { Observed } from './observed.ts';
import type { Operation, RealizeUnit, ReloadUnits, WriteUnit } from './operations.ts';
import { removals } from './removals.ts';
import type { Wanted } from './wanted.ts';

const reload: ReloadUnits = { kind: 'reload' };

export function unitChanges(wanted: Wanted, observed: Observed): readonly Operation[] {
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
  const orphans = observed.orphans.filter(({ unit }) => unit !== undefined);
  // A slice that is a tenant no longer may still be outside the tenant's cgroup, or the other way round.
  const units = new Set(wanted.cgroups.map(({ unit }) => unit?.unit));
  const left = orphans.flatMap(({ path, unit }): RealizeUnit[] =>
    unit?.active === true && !units.has(unit.unit)
      ? [{ kind: 'realize', cgroup: path, label: unit.unit, unit: unit.unit, writes: [] }]
      : [],
  );
  // If only the kernel differs, systemd may have been told to set other values since it read the files.
  const first = [...files, ...removals(wanted, orphans).flat()];
  const isChanged = first.length > 0 || realized.length > 0 || observed.stale === true;
  return [
    ...first,
    ...(isChanged ? [reload] : []),
    ...realized,
    ...left,
    // Setting the slices has left settings of their own.
    ...(left.length > 0 ? [reload] : []),
  ];
}
