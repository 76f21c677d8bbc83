/** Bulkhead's cgroups in a hierarchy: lists them, and removes one with everything below it. */
import type { Errno } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { parseCgroupName, partKindOf, tenantOfCgroup } from '../../plan/wanted.ts';
import type { Hierarchy } from './hierarchies.ts';

/** Returns the paths of cgroups with names of ours; `''` is the root cgroup. */
export function presentCgroups({ files }: Hierarchy): ReadonlySet<string> {
  const found = new Set<string>();
  if (!files.exists('')) return found;
  found.add('');
  const addTenant = (path: string) => {
    found.add(path);
    for (const part of partsIn(files, path)) found.add(part);
  };
  for (const name of files.children('')) {
    const parsed = parseCgroupName(name);
    if (parsed === undefined) continue;
    if (parsed.kind === 'tenant') {
      addTenant(name);
      continue;
    }
    found.add(name);
    for (const inner of files.children(name)) {
      if (parseCgroupName(inner)?.kind === 'tenant') addTenant(`${name}/${inner}`);
    }
  }
  return found;
}

/** Returns the parts of a divided tenant. */
export function partsIn(files: Hierarchy['files'], cgroup: string): readonly string[] {
  if (tenantOfCgroup(cgroup) === undefined || !files.hasChildren(cgroup)) return [];
  const names = files.children(cgroup).filter((name) => partKindOf(name) !== undefined);
  return names.map((name) => `${cgroup}/${name}`);
}

export function cgroupsBelow(
  files: Hierarchy['files'],
  cgroup: string,
  depth: number,
): readonly string[] {
  if (depth === 0) return [];
  return files.children(cgroup).flatMap((name) => {
    const path = cgroup === '' ? name : `${cgroup}/${name}`;
    return [path, ...cgroupsBelow(files, path, depth - 1)];
  });
}

/** Removes a cgroup. Few cgroups have others below them, so it searches for those only if removal fails. */
export function removeCgroupTree(
  files: Hierarchy['files'],
  cgroup: string,
  depth: number,
): Result<void, Errno> {
  const removed = files.removeCgroup(cgroup);
  if (removed.ok || removed.error === 'ENOENT') return ok(undefined);
  const below = cgroupsBelow(files, cgroup, depth).toSorted((a, b) => b.length - a.length);
  for (const path of [...below, cgroup]) {
    const removed = files.removeCgroup(path);
    if (!removed.ok && removed.error !== 'ENOENT') return removed;
  }
  return ok(undefined);
}
