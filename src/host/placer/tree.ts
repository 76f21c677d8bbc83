/** The hierarchies of an instance as the placer needs them. Not used by the placer itself. */
import { findHierarchies1, findUnified, hierarchy2, type Hierarchy } from '../hierarchies.ts';
import { readMounts, type Mount } from '../mounts.ts';
import type { Paths } from '../paths.ts';
import { runsSystemd, unitOf } from '../systemd-room.ts';
import type { PlacerHierarchy, PlacerTree } from './protocol.ts';

/** Of the driver's version; no hierarchies where there is no cgroup v2 mount. */
export function placerTree(paths: Paths, version: 1 | 2): PlacerTree {
  const mounts = readMounts(paths);
  const hierarchies = (version === 1 ? findHierarchies1(paths) : unified(paths)).map((each) =>
    placerHierarchy(each, version, mounts),
  );
  return { version, hierarchies };
}

function unified(paths: Paths): readonly Hierarchy[] {
  const found = findUnified(paths);
  if (found === undefined) return [];
  return [hierarchy2(found, runsSystemd() ? unitOf(paths.instance) : paths.instance)];
}

function placerHierarchy(
  { name, controllers, mountPoint, rootPath }: Hierarchy,
  version: 1 | 2,
  mounts: readonly Mount[],
): PlacerHierarchy {
  const rootGroup = rootPath.slice(mountPoint.length + 1);
  const root = mounts.findLast((each) => each.mountPoint === mountPoint)?.root ?? '/';
  const [first = ''] = controllers;
  return {
    name,
    controller: version === 2 ? '' : first === 'io' ? 'blkio' : first,
    mountPoint,
    rootGroup,
    // Of a container that sees the host's paths, only a part is mounted.
    path: `${root === '/' ? '' : root}/${rootGroup}`,
  };
}
