/** A host with cgroups in memory: an apply there costs nothing and hurts nobody. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CgroupDriver } from '../src/host/cgroups/cgroup-driver.ts';
import type { Host } from '../src/host/host.ts';
import {
  controllersOf,
  useHierarchyOf,
  type Hierarchy,
  type HierarchyController,
} from '../src/host/cgroups/hierarchies.ts';
import { pathsOf } from '../src/host/paths.ts';
import { noDelegation } from '../src/host/cgroups/enable-controllers.ts';
import { QuotaStore } from '../src/host/disks/quota-store.ts';
import { attributes } from '../src/limits/limits.ts';
import type { SupportContext } from '../src/limits/limit.ts';
import { ok } from '../packages/base/result.ts';
import { FakeCgroups } from './fake-cgroups.ts';

/** The directory of all fake hosts of a process, removed when it ends. */
const scratch = mkdtempSync(join(tmpdir(), 'bulkhead-fake-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

export interface FakeHost extends Host {
  /** The fake cgroups, one for each hierarchy. */
  readonly cgroups: readonly FakeCgroups[];
}

const controllers1: readonly HierarchyController[] = [
  'cpu',
  'cpuacct',
  'memory',
  'io',
  'pids',
  'freezer',
];

/**
 * Makes a host; `topFiles` are the files at the top of each hierarchy that differ from the default.
 */
export function fakeHost(version: 1 | 2, topFiles: Record<string, string> = {}): FakeHost {
  const directory = mkdtempSync(join(scratch, 'host-'));
  const paths = {
    ...pathsOf('bulkhead'),
    runtime: join(directory, 'run'),
    state: join(directory, 'state'),
  };
  const sets =
    version === 1 ? controllers1.map((each) => [each]) : [['cpu', 'io', 'memory', 'pids'] as const];
  const cgroups = sets.map((each) => new FakeCgroups(version, each, topFiles));
  const hierarchies = sets.map((each, index): Hierarchy => ({
    name: each.join(','),
    controllers: new Set(each),
    mountPoint: '/fake',
    rootPath: `/fake/${each.join(',')}/bulkhead`,
    files: cgroups[index] as FakeCgroups,
  }));
  return { paths, cgroups, probe: () => ok(driver(version, hierarchies, paths)) };
}

function driver(
  version: 1 | 2,
  hierarchies: readonly Hierarchy[],
  paths: Host['paths'],
): CgroupDriver {
  const context: SupportContext = {
    pageBytes: 4096,
    devices: ['254:0'],
    files: new Set(hierarchies.flatMap((each) => [...each.files.topFileNames()])),
    controllers: controllersOf(hierarchies),
    fileSystems: [],
    isProtectionRecursive: true,
    usesMultiGenLru: false,
  };
  const side = version === 2 ? 'cgroup2' : 'cgroup1';
  const quotas = new QuotaStore(paths.state, { all: [], of: () => undefined });
  return new CgroupDriver({
    version,
    hierarchies,
    delegation: noDelegation,
    quotas,
    paths,
    opened: new DisposableStack(),
    context: {
      ...context,
      version,
      quota: quotas.context,
      useHierarchy: useHierarchyOf(hierarchies),
    },
    capabilities: {
      driver: side,
      reason: 'it is a fake',
      devices: context.devices,
      remarks: [],
      limits: new Map(
        [...attributes].map(([key, { limit, name }]) => [key, limit[side].support(name, context)]),
      ),
    },
  });
}
