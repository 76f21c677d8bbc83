/** The hierarchies of an instance in the form that the placer needs. Not used by the placer itself. */
import { userSlice } from '../../plan/slice.ts';
import type { Tree } from '../../host/driver.ts';
import type { Hierarchy } from '../../host/cgroups/hierarchies.ts';
import { readMounts, type Mount } from '../../sys/files/mounts.ts';
import type { Paths } from '../../host/paths.ts';
import type { PlacerHierarchy, PlacerTree } from '../../host/placer/protocol.ts';

export function placerTree(paths: Paths, tree: Tree): PlacerTree {
  const mounts = readMounts(paths);
  return {
    version: tree.version,
    hierarchies: tree.hierarchies.map((each) => placerHierarchy(each, tree, mounts)),
  };
}

function placerHierarchy(
  { name, controllers, mountPoint, rootPath }: Hierarchy,
  { version, slices }: Tree,
  mounts: readonly Mount[],
): PlacerHierarchy {
  const rootCgroup = rootPath.slice(mountPoint.length + 1);
  // In a container that sees the host's paths, only a part of the hierarchy is mounted.
  const mounted = mounts.findLast((each) => each.mountPoint === mountPoint)?.root ?? '/';
  const root = mounted === '/' ? '' : mounted;
  const [first = ''] = controllers;
  return {
    name,
    controller: version === 2 ? '' : first === 'io' ? 'blkio' : first,
    mountPoint,
    rootCgroup,
    path: `${root}/${rootCgroup}`,
    ...(slices === undefined
      ? {}
      : { slices: { path: `${root}/${userSlice}`, instance: slices.instance } }),
  };
}
