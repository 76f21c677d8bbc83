/** The objects that manage this host's slices, for the `systemd` driver and for drivers that follow it. */
import type { Delegation } from '../cgroups/cgroup-driver.ts';
import { hierarchy2, type Hierarchy, type Unified } from '../cgroups/hierarchies.ts';
import { unitOf } from '../cgroups/systemd-delegation.ts';
import type { Paths } from '../paths.ts';
import { count } from '../../../packages/base/list.ts';
import { cgroupInSlice } from '../../plan/slice.ts';
import { SystemdManager } from './manager.ts';
import { Scopes } from './scopes.ts';
import { SliceFiles } from './slice-files.ts';
import { Slices } from './slices.ts';
import { StaleMark } from './stale-mark.ts';

export interface SliceParts {
  /** The hierarchy in which `u1001` and its sites are slices, and all else is in the tree below the delegated unit. */
  readonly hierarchy: Hierarchy;
  readonly slices: Slices;
  readonly scopes: Scopes;
}

/** `opened` closes mounts and connections. */
export function sliceParts(unified: Unified, paths: Paths, opened: DisposableStack): SliceParts {
  const manager = opened.use(new SystemdManager());
  const hierarchy = hierarchy2(unified, unitOf(paths.instance), opened, cgroupInSlice);
  const files = new SliceFiles(paths);
  return {
    hierarchy,
    slices: new Slices({ hierarchy, files, stale: new StaleMark(paths), manager }),
    scopes: opened.use(new Scopes(unified.mountPoint, paths.instance)),
  };
}

const step = 'slices';

/** Wraps the delegation of a driver that follows the `systemd` driver: slices return to systemd first. */
export function withoutSlices(delegation: Delegation, slices: Slices): Delegation {
  return {
    pending() {
      const left = slices.held.size;
      const summary =
        left === 0
          ? 'systemd reads its files again'
          : `systemd limits ${count(left, 'slice')} no longer; the cgroups of Bulkhead do`;
      const isPending = left > 0 || slices.isStale;
      return [...(isPending ? [{ id: step, summary }] : []), ...delegation.pending()];
    },
    make: (id) => (id === step ? slices.release() : delegation.make(id)),
    unmake() {
      const released = slices.release();
      const unmade = delegation.unmake();
      return released.ok ? unmade : released;
    },
  };
}
