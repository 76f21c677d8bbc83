/** This machine with tenants in cgroups of Bulkhead's own, also where systemd runs and slices are the default. */
import type { Host } from '../host/host.ts';
import type { Paths } from '../host/paths.ts';
import { probeDriver } from '../host/probe.ts';
import type { DriverName } from '../policy/document.ts';

/** Nothing on cgroup v1, where there is no other. */
const treeDriver = (paths: Paths): DriverName | undefined =>
  probeDriver(paths, 'cgroup2').ok ? 'cgroup2' : undefined;

export function treeHost(paths: Paths): Host {
  const usual = treeDriver(paths);
  return { paths, probe: (asked = usual) => probeDriver(paths, asked) };
}

/** For a policy that another program reads. */
export function treeElement(paths: Paths): string {
  const driver = treeDriver(paths);
  return driver === undefined ? '' : `<host driver="${driver}"/>`;
}
