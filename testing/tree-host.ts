/** This machine with tenants in Bulkhead's own cgroups, even if systemd runs and slices are the default. */
import type { Host } from '../src/host/host.ts';
import type { Paths } from '../src/host/paths.ts';
import { probeDriver } from '../src/host/probe.ts';
import type { DriverName } from '../src/policy/document.ts';

/** Returns the driver; undefined on cgroup v1, which has no other. */
const treeDriver = (paths: Paths): DriverName | undefined =>
  probeDriver(paths, 'cgroup2').ok ? 'cgroup2' : undefined;

export function treeHost(paths: Paths): Host {
  const usual = treeDriver(paths);
  return { paths, probe: (asked = usual) => probeDriver(paths, asked) };
}

/** Returns the element for a policy that another program reads. */
export function treeElement(paths: Paths): string {
  const driver = treeDriver(paths);
  return driver === undefined ? '' : `<host driver="${driver}"/>`;
}
