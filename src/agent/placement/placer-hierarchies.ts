/** The hierarchies of an instance in the form that the placer needs. Not used by the placer itself. */
import type { Tree } from '../../host/driver.ts';
import type { Hierarchy } from '../../host/cgroups/hierarchies.ts';
import { readMounts, type Mount } from '../../sys/files/mounts.ts';
import type { Paths } from '../../host/paths.ts';
import type { PlacerHierarchy, PlacerTree } from '../../host/placer/protocol.ts';

export function placerTree(paths: Paths, { version, hierarchies }: Tree): PlacerTree {
  const mounts = readMounts(paths);
  return {
    version,
    hierarchies: hierarchies.map((each) => placerHierarchy(each, version, mounts)),
  };
}

function placerHierarchy(
  { name, controllers, mountPoint, rootPath }: Hierarchy,
  version: 1 | 2,
  mounts: readonly Mount[],
): PlacerHierarchy {
  const rootCgroup = rootPath.slice(mountPoint.length + 1);
  const root = mounts.findLast((each) => each.mountPoint === mountPoint)?.root ?? '/';
  const [first = ''] = controllers;
  return {
    name,
    controller: version === 2 ? '' : first === 'io' ? 'blkio' : first,
    mountPoint,
    rootCgroup,
    // In a container that sees the host's paths, only a part of the hierarchy is mounted.
    path: `${root === '/' ? '' : root}/${rootCgroup}`,
  };
}
