/**
 * Tenants in a tree of cgroups that only Bulkhead owns: the `cgroup1` driver (the same tree in each hierarchy) and the
 * `cgroup2` driver (one tree).
 *
 * Nothing outside that tree is written, except by the delegation that makes it possible on v2.
 */
import { failed, type Errno, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Controller, Counters } from '../../limits/limit.ts';
import type { Observed, ObservedCgroup, Preparation, OrphanCgroup } from '../../plan/observed.ts';
import type {
  CreateCgroup,
  MoveProcesses,
  Operation,
  RemoveCgroup,
  SetQuota,
  WriteFile,
} from '../../plan/operations.ts';
import {
  cgroupSetup,
  depthOf,
  dividedCgroup,
  isInside,
  mainCgroup,
  parentOf,
  tenantOfCgroup,
  uidOfCgroup,
  type Wanted,
  type WantedContext,
} from '../../plan/wanted.ts';
import type { Capabilities, Driver, ExecuteOptions, Tree } from '../driver.ts';
import { errnoCause } from '../../../packages/base/io/errno.ts';
import { readCounters } from './cgroup-counters.ts';
import { cgroupsBelow, partsIn, presentCgroups } from './cgroup-tree.ts';
import { moveProcesses, pidsOf, processFile } from './move-processes.ts';
import type { Hierarchy } from './hierarchies.ts';
import { lowerMemory } from './lower-memory.ts';
import { Ownership } from '../accounts/ownership.ts';
import type { Paths } from '../paths.ts';
import type { CgroupOwner } from '../kill-processes.ts';
import type { QuotaStore } from '../disks/quota-store.ts';
import { readSubordinateUids } from '../accounts/subordinate-uids.ts';
import { publishLaunch, withdrawLaunch } from './launch-file.ts';
import { deepest, removeCgroup } from './remove-cgroup.ts';
import { formatValue } from '../../plan/format.ts';

/** Steps outside the tree that are required before it can be created; none on v1. */
export interface Delegation {
  readonly pending: () => readonly Preparation[];
  readonly make: (id: string) => Result<void, Problem>;
  readonly unmake: () => Result<void, Problem>;
}

export interface CgroupDriverParts {
  readonly version: 1 | 2;
  readonly capabilities: Capabilities;
  readonly hierarchies: readonly Hierarchy[];
  readonly context: WantedContext;
  readonly delegation: Delegation;
  readonly quotas: QuotaStore;
  readonly paths: Paths;
  /** Everything that the driver keeps open. */
  readonly opened: Disposable;
  /** The path of tenants without a reseller, for the launcher, if they are not in this tree. */
  readonly slicesPath?: string;
}

/** Each time others may have come from outside. */
const setUpRounds = 20;
/** How often processes that come late are moved before a cgroup is removed. */
const removeRounds = 5;

export class CgroupDriver implements Driver {
  readonly capabilities: Capabilities;
  readonly #parts: CgroupDriverParts;
  readonly #hierarchyOf: ReadonlyMap<Controller, Hierarchy>;

  constructor(parts: CgroupDriverParts) {
    this.capabilities = parts.capabilities;
    this.#parts = parts;
    this.#hierarchyOf = new Map(
      parts.hierarchies.flatMap((each) =>
        [...each.controllers].map((controller) => [controller as Controller, each] as const),
      ),
    );
  }

  get tree(): Tree {
    return this.#parts;
  }

  get #hierarchies(): readonly Hierarchy[] {
    return this.#parts.hierarchies;
  }

  get context(): WantedContext {
    return this.#parts.context;
  }

  observe(wanted: Wanted): Observed {
    const preparations = this.#parts.delegation.pending();
    const present = this.#present();
    const cgroups = new Map<string, ObservedCgroup>();
    for (const cgroup of wanted.cgroups) {
      const missing = this.#hierarchies
        .filter((each) => present.get(each.name)?.has(cgroup.path) !== true)
        .map((each) => each.name);
      const files = new Map<string, string>();
      if (missing.length < this.#hierarchies.length) {
        const isDivided = [...present.values()].some((all) => all.has(mainCgroup(cgroup.path)));
        for (const { file, controller, attribute, value } of cgroup.settings) {
          if (files.has(file)) continue;
          // What it gives to parts matters only if it has any, or is to have.
          if (attribute === cgroupSetup && value === '' && !isDivided) continue;
          const text = this.#files(controller).read(cgroup.path, file);
          if (text !== undefined) files.set(file, text);
        }
      }
      const divided = cgroup.kind === 'main' ? parentOf(cgroup.path) : undefined;
      const parent = divided === undefined ? undefined : cgroups.get(divided);
      if (divided !== undefined && parent !== undefined)
        cgroups.set(divided, { ...parent, astray: this.#processesIn([divided]) });
      cgroups.set(cgroup.path, { missing, files });
    }
    return {
      preparations,
      cgroups,
      orphans: this.#orphans(present, new Set(wanted.cgroups.map((each) => each.path))),
      quotas: this.#parts.quotas.observe(wanted.quotas),
    };
  }

  /** Returns the paths of Bulkhead's cgroups, by hierarchy; `''` is its root cgroup. */
  #present(): ReadonlyMap<string, ReadonlySet<string>> {
    return new Map(this.#hierarchies.map((each) => [each.name, presentCgroups(each)]));
  }

  #orphans(
    present: ReadonlyMap<string, ReadonlySet<string>>,
    wanted: ReadonlySet<string>,
  ): readonly OrphanCgroup[] {
    const all = new Set([...present.values()].flatMap((paths) => [...paths]));
    return [...all]
      .filter((path) => !wanted.has(path))
      .sort((a, b) => depthOf(b) - depthOf(a) || a.localeCompare(b))
      .map((path) => ({
        path,
        hierarchies: [...present].filter(([, paths]) => paths.has(path)).map(([name]) => name),
        processes: this.processes(path),
      }));
  }

  #files(controller: Controller) {
    const hierarchy = this.#hierarchyOf.get(controller) ?? this.#hierarchies[0];
    if (hierarchy === undefined) throw new Error(`No hierarchy has the controller ${controller}`);
    return hierarchy.files;
  }

  #named(names: readonly string[]): readonly Hierarchy[] {
    return this.#hierarchies.filter((each) => names.includes(each.name));
  }

  processes(cgroup: string): readonly number[] {
    const parts = new Set(this.#hierarchies.flatMap(({ files }) => partsIn(files, cgroup)));
    return this.#processesIn([cgroup, ...parts]);
  }

  #processesIn(cgroups: readonly string[]): readonly number[] {
    const all = new Set<number>();
    for (const { files } of this.#hierarchies) {
      for (const cgroup of cgroups)
        for (const pid of pidsOf(files.read(cgroup, processFile))) all.add(pid);
    }
    return [...all].sort((a, b) => a - b);
  }

  memoryInUse(cgroup: string): number | undefined {
    const file = this.#parts.version === 2 ? 'memory.current' : 'memory.usage_in_bytes';
    const text = this.#hierarchyOf.get('memory')?.files.read(cgroup, file);
    return text === undefined ? undefined : Number(text);
  }

  counters(cgroup: string): Counters | undefined {
    return readCounters(this.tree, cgroup);
  }

  execute(operation: Operation, options: ExecuteOptions): Result<void, Problem> {
    switch (operation.kind) {
      case 'prepare':
        return this.#parts.delegation.make(operation.id);
      case 'create':
        return this.#create(operation);
      case 'write':
        return this.#write(operation, options);
      case 'move':
        return this.#move(operation);
      case 'quota':
        return this.#setQuota(operation);
      case 'remove':
        return this.#remove(operation, options.kill);
      case 'unit':
      case 'reload':
      case 'realize':
        throw new Error('The cgroups of this tree have no units');
    }
  }

  #create({ cgroup, label, hierarchies }: CreateCgroup): Result<void, Problem> {
    for (const { files, rootPath } of this.#named(hierarchies)) {
      const made = files.makeCgroup(cgroup);
      if (made.ok || made.error === 'EEXIST') continue;
      return failed({
        action: `create the cgroup of ${label} at`,
        object: `${rootPath}/${cgroup}`,
        ...errnoCause(made.error),
      });
    }
    return ok(undefined);
  }

  #write(operation: WriteFile, options: ExecuteOptions): Result<void, Problem> {
    const files = this.#files(operation.controller);
    if (operation.attribute === 'memory.limit' && operation.direction === 'lower') {
      return lowerMemory(operation, { files, version: this.#parts.version, driver: this }, options);
    }
    const written =
      operation.attribute === cgroupSetup
        ? this.#setUp(operation)
        : files.write(operation.cgroup, operation.file, operation.text);
    if (written.ok || written.error === 'ENODEV') return ok(undefined);
    return failed({
      action: `set ${operation.file} of ${operation.label} to`,
      object: formatValue(operation.file, operation.to),
      ...errnoCause(written.error),
    });
  }

  #move({ from, to, label }: MoveProcesses): Result<void, Problem> {
    if (moveProcesses(this.#hierarchies, from, to)) return ok(undefined);
    const action = `move all processes of ${label} from ${from} to`;
    const left = this.#processesIn([from]).length;
    return failed({ action, object: to, reason: `${left} are left` });
  }

  /**
   * Sets up a cgroup. v2 refuses this while a tenant that is to be divided has processes of its own, and more may come.
   */
  #setUp({ cgroup, file, text, controller }: WriteFile): Result<void, Errno> {
    const files = this.#files(controller);
    for (let round = 1; ; round++) {
      const written = files.write(cgroup, file, text);
      if (written.ok || written.error !== 'EBUSY' || round === setUpRounds) return written;
      if (!files.exists(mainCgroup(cgroup))) return written;
      moveProcesses(this.#hierarchies, cgroup, mainCgroup(cgroup));
    }
  }

  #setQuota({ uid, mountPoint, label, to }: SetQuota): Result<void, Problem> {
    return this.#parts.quotas.set({ uid, mountPoint, label }, to);
  }

  #remove(operation: RemoveCgroup, kill: boolean): Result<void, Problem> {
    const { cgroup, to } = operation;
    for (let round = 1; ; round++) {
      // A process that was joining its tenant's cgroups, one after the other, is in the earlier ones only.
      if (to !== undefined)
        for (const from of this.#withBelow(cgroup)) moveProcesses(this.#hierarchies, from, to);
      const ownerOf = (each: string) => this.ownerOf(each);
      // A tenant that only has another place stays, and so do its processes.
      const mayKill = kill && to === undefined;
      const removed = removeCgroup(operation, this.tree, { kill: mayKill, ownerOf });
      if (removed.ok || to === undefined || round === removeRounds) return removed;
    }
  }

  #withBelow(cgroup: string): ReadonlySet<string> {
    const below = this.#hierarchies.flatMap(({ files }) => cgroupsBelow(files, cgroup, deepest));
    return new Set([cgroup, ...below]);
  }

  /**
   * Returns the cgroup's owner, knowing all tenants of the tree as the placer does, so that no process counts for two.
   */
  ownerOf(cgroup: string): CgroupOwner {
    const uid = uidOfCgroup(cgroup);
    const cgroups = [...this.#present().values()].flatMap((paths) => [...paths]);
    const uids = [uid, ...cgroups.map(tenantOfCgroup)];
    const tenants = new Set(uids.filter((each) => each !== undefined));
    const subordinate = readSubordinateUids(this.#parts.paths, tenants);
    return { uid, ownership: new Ownership(tenants, subordinate) };
  }

  publish(wanted: Wanted): Result<void, Problem> {
    const { version, paths, quotas } = this.#parts;
    const roots = this.#hierarchies.map((each) => each.rootPath);
    const join = version === 2 ? processFile : 'tasks';
    const published = publishLaunch(paths.runtime, join, roots, this.#parts.slicesPath);
    if (!published.ok) return published;
    return quotas.remember(wanted);
  }

  release({ kill }: { readonly kill: boolean }): Result<void, readonly Problem[]> {
    const hierarchies = this.#hierarchies.map((each) => each.name);
    const lifted = this.#parts.quotas.lift();
    const problems = lifted.ok ? [] : [...lifted.error];
    const kept: string[] = [];
    for (const { path } of this.#orphans(this.#present(), new Set())) {
      if (dividedCgroup(path) !== undefined) continue;
      if (kept.some((each) => isInside(each, path))) continue;
      const remove: RemoveCgroup = { kind: 'remove', cgroup: path, hierarchies, processes: [] };
      const removed = this.#remove(remove, kill);
      if (removed.ok) continue;
      kept.push(path);
      problems.push(removed.error);
    }
    if (problems.length > 0) return fail(problems);
    withdrawLaunch(this.#parts.paths.runtime);
    const unmade = this.#parts.delegation.unmake();
    return unmade.ok ? unmade : fail([unmade.error]);
  }

  [Symbol.dispose](): void {
    this.#parts.opened[Symbol.dispose]();
  }
}
