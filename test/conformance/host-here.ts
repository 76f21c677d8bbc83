/** The real kernel of this machine, or why it cannot be used. */
import '../../src/testing/guard/here.ts';
import { printProblem } from '../../src/base/problem.ts';
import { linuxHost, type Host } from '../../src/host/host.ts';
import { pathsOf } from '../../src/host/paths.ts';

export interface Here {
  readonly host: Host;
  readonly version: 1 | 2;
}

/** Each test file has an instance of its own, apart from one that is in use. */
export function hostHere(instance: string): Here | { readonly skip: string } {
  const host = linuxHost(pathsOf(instance));
  const driver = host.probe();
  if (!driver.ok) return { skip: printProblem(driver.error) };
  return { host, version: driver.value.capabilities.driver === 'cgroup2' ? 2 : 1 };
}
