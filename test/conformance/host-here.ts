/** The real kernel of this machine with cgroups of Bulkhead's own, or why it cannot be used. */
import '../../testing/guard/here.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import type { Host } from '../../src/host/host.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { treeHost } from '../../testing/tree-host.ts';

export interface Here {
  readonly host: Host;
  readonly version: 1 | 2;
}

/** Each test file has an instance of its own, apart from one that is in use. */
export function hostHere(instance: string): Here | { readonly skip: string } {
  const host = treeHost(pathsOf(instance));
  const driver = host.probe();
  if (!driver.ok) return { skip: formatProblem(driver.error) };
  return { host, version: driver.value.capabilities.driver === 'cgroup2' ? 2 : 1 };
}
