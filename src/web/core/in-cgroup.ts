/**
 * Whether a process is in a cgroup or below it, by the text of /proc/PID/cgroup.
 *
 *     8:pids:/bulkhead/u1001           0::/bulkhead-tenants.service/u1001
 *
 * Source: cgroups(7).
 */
import { cgroupPath } from '../../plan/slice.ts';

interface CgroupRoot {
  /** The controller's name as the kernel has it; empty on cgroup v2. */
  readonly controller: string;
  /** Bulkhead's root cgroup. */
  readonly path: string;
  /** The cgroup that contains tenants' slices, if they have slices. */
  readonly slices?: { readonly path: string };
}

/** Whether the process is in the cgroup in every hierarchy. */
export function isInCgroup(text: string, roots: readonly CgroupRoot[], cgroup: string): boolean {
  const lines = text.split('\n').map((line) => /^\d+:([^:]*):(.*)$/.exec(line));
  return (
    roots.length > 0 &&
    roots.every((root) => {
      const line = lines.find((each) => each?.[1]?.split(',').includes(root.controller) === true);
      const at = line?.[2] ?? '';
      const path = cgroupPath(root, cgroup);
      return at === path || at.startsWith(`${path}/`);
    })
  );
}
