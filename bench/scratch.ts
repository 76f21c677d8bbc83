/**
 * The instance that the benchmarks make and remove, its policy, and both in the form that the C
 * program reads.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { formatProblem } from '../packages/base/problem.ts';
import { applyPolicy, releaseAll, type Applied } from '../src/apply/apply.ts';
import { PolicyReader } from '../src/apply/load-policy.ts';
import type { Driver } from '../src/host/driver.ts';
import {
  findHierarchies1,
  findUnified,
  hierarchy2,
  type Hierarchy,
  type HierarchyController,
} from '../src/host/cgroups/hierarchies.ts';
import type { Host } from '../src/host/host.ts';
import { pathsOf } from '../src/host/paths.ts';
import { runsSystemd, unitOf } from '../src/host/cgroups/systemd-delegation.ts';
import type { Operation } from '../src/plan/operations.ts';
import { wantedOnHost } from '../src/plan/wanted-on-host.ts';
import type { Policy } from '../src/policy/policy.ts';
import { treeElement, treeHost } from '../testing/tree-host.ts';

export const instance = 'bulkhead-bench';
/** The first uid: far above accounts; no process has these uids. */
export const firstUid = 200_000;
const resellerTenants = 20;

/**
 * Returns the policy of a varied host. A quarter of the tenants are in a package, a tenth have a
 * value of their own, a fifth are with resellers.
 */
export function policyText(tenants: number): string {
  const resellers = Math.floor(tenants / 5 / resellerTenants);
  const own = tenants - resellers * resellerTenants;
  const lines = Array.from({ length: own }, (_, index) => tenantText(index));
  for (let index = 0; index < resellers; index++) {
    const first = own + index * resellerTenants;
    lines.push(
      `  <reseller uid="${firstUid + tenants + index}" package="business">`,
      '    <cpu limit="400%"/>',
      '    <memory limit="16GiB"/>',
      ...Array.from({ length: resellerTenants }, (_, at) => `  ${tenantText(first + at)}`),
      '  </reseller>',
    );
  }
  return ['<bulkhead version="1">', ...head, ...lines, '</bulkhead>', ''].join('\n');
}

const head = [
  '  <defaults>',
  '    <cpu limit="100%" weight="100"/>',
  '    <memory limit="1GiB"/>',
  '    <io read="10MiB/s" write="10MiB/s" reads="1000/s" writes="1000/s"/>',
  '    <processes limit="100"/>',
  '  </defaults>',
  '  <package name="business">',
  '    <cpu limit="200%" weight="200"/>',
  '    <memory limit="4GiB" soft="3GiB"/>',
  '  </package>',
];

function tenantText(index: number): string {
  const inPackage = index % 4 === 0 ? ' package="business"' : '';
  const start = `  <tenant uid="${firstUid + index}"${inPackage}`;
  return index % 10 === 0 ? `${start}><cpu limit="150%"/></tenant>` : `${start}/>`;
}

export class Scratch implements Disposable {
  readonly directory: string;
  readonly host: Host = treeHost(pathsOf(instance));
  readonly policyFile: string;
  readonly policy: Policy;

  constructor(directory: string, tenants: number) {
    this.directory = directory;
    this.policyFile = `${directory}/policy-${tenants}.xml`;
    const element = treeElement(this.host.paths);
    const text = policyText(tenants).replace('<bulkhead version="1">', `$&${element}`);
    writeFileSync(this.policyFile, text);
    const { policy, diagnostics } = new PolicyReader().resolve(
      this.policyFile,
      text,
      this.host.paths,
    );
    if (policy === undefined) throw new Error(diagnostics[0]?.message);
    this.policy = policy;
  }

  driver(): Driver {
    const driver = this.host.probe();
    if (!driver.ok) throw new Error(formatProblem(driver.error));
    return driver.value;
  }

  apply(): Applied {
    const applied = applyPolicy(this.policy, this.host, { kill: false, force: false });
    if (!applied.ok) throw new Error(formatProblem(applied.error));
    const [failure] = applied.value.failures;
    if (failure !== undefined) throw new Error(formatProblem(failure.problem));
    return applied.value;
  }

  /** Removes every cgroup and file of the instance. */
  [Symbol.dispose](): void {
    const { runtime, state } = this.host.paths;
    const released = releaseAll(this.host, { kill: false });
    for (const path of [runtime, state]) rmSync(path, { recursive: true, force: true });
    if (!released.ok) throw new Error(released.error.map(formatProblem).join('\n'));
  }

  /** Returns the tree as the driver has it. */
  hierarchies(): readonly Hierarchy[] {
    const { paths } = this.host;
    if (this.driver().capabilities.driver === 'cgroup1') return findHierarchies1(paths);
    const unified = findUnified(paths);
    if (unified === undefined) throw new Error('There is no cgroup v2 mount');
    return [hierarchy2(unified, runsSystemd() ? unitOf(instance) : instance)];
  }
}

/** Returns a function for the path of a controller's file, as C opens it. */
export function locator(hierarchies: readonly Hierarchy[]) {
  return (controller: HierarchyController, cgroup: string, file: string): string => {
    const hierarchy =
      hierarchies.find((each) => each.controllers.has(controller)) ?? hierarchies[0];
    return `${cgroupPath(hierarchy, cgroup)}/${file}`;
  };
}

const cgroupPath = (hierarchy: Hierarchy | undefined, cgroup: string) =>
  cgroup === '' ? `${hierarchy?.rootPath}` : `${hierarchy?.rootPath}/${cgroup}`;

/** Returns the operations of an apply, for C to do the same. */
export function floorOperations(
  operations: readonly Operation[],
  hierarchies: readonly Hierarchy[],
): readonly string[] {
  const locate = locator(hierarchies);
  return operations.flatMap((operation) => {
    if (operation.kind === 'write') {
      return [
        `write\t${locate(operation.controller, operation.cgroup, operation.file)}\t${operation.text}`,
      ];
    }
    if (operation.kind !== 'create') return [];
    return hierarchies
      .filter((each) => operation.hierarchies.includes(each.name))
      .map((each) => `make\t${cgroupPath(each, operation.cgroup)}`);
  });
}

/**
 * Returns the reads of an observation: each file of each cgroup once, and each directory that holds
 * cgroups.
 */
export function floorReads(
  driver: Driver,
  policy: Policy,
  hierarchies: readonly Hierarchy[],
): readonly string[] {
  const locate = locator(hierarchies);
  const { cgroups } = wantedOnHost(policy, driver.context);
  const parents = cgroups.filter((each) => each.kind !== 'tenant').map((each) => each.path);
  const lists = hierarchies.flatMap((each) =>
    parents.map((parent) => `list\t${cgroupPath(each, parent)}`),
  );
  const files = cgroups.flatMap(({ path, settings }) =>
    settings.map(({ controller, file }) => `read\t${locate(controller, path, file)}`),
  );
  return [...lists, ...new Set(files)];
}
