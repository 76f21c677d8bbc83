/**
 * The `systemd` driver: tenants are systemd's own slices. A tenant is its slice, `user-UID.slice`, in which systemd
 * itself starts its logins, its user manager and its services. systemd has no notion of resellers: a reseller and its
 * tenants are cgroups below our delegated unit, as with the `cgroup2` driver.
 *
 * A slice has a cgroup only while something runs in it. So the driver writes its limits to a file for systemd, which
 * applies whenever that happens. If something runs, the driver makes systemd set the cgroup, and reads the kernel's own
 * files to check that. It never trusts systemd's answer for it.
 *
 * Names are the same as with the other drivers: `u1001` is the slice, `r1000/u1001` a cgroup of the tree.
 *
 * A site of a slice, `u1001/s-shop.example`, is a slice in it. There is no `u1001/main`: processes outside all sites
 * are next to them, wherever systemd starts them. A site whose name is too long for a unit is planned as a cgroup that
 * cannot be made. So each apply fails for it and each verify finds it missing.
 */
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Counters } from '../../limits/limit.ts';
import { noCounters } from '../../limits/limits.ts';
import type { Observed, ObservedCgroup, OrphanCgroup } from '../../plan/observed.ts';
import type {
  MoveProcesses,
  Operation,
  RemoveCgroup,
  WriteFile,
  WriteUnit,
} from '../../plan/operations.ts';
import { isMisfit, isPartOfSlice, sliceNamed, sliceOwner, sliceTenant } from '../../plan/slice.ts';
import { uidOfCgroup, type Wanted, type WantedContext } from '../../plan/wanted.ts';
import { formatErrno } from '../../../packages/base/io/errno.ts';
import { Ownership } from '../accounts/ownership.ts';
import { readSubordinateUids } from '../accounts/subordinate-uids.ts';
import type { CgroupDriver } from '../cgroups/cgroup-driver.ts';
import { delegatedTo } from '../cgroups/systemd-delegation.ts';
import { pidsOf } from '../cgroups/move-processes.ts';
import type { Hierarchy } from '../cgroups/hierarchies.ts';
import { spareMemory } from '../cgroups/lower-memory.ts';
import type { Capabilities, Driver, ExecuteOptions, Tree } from '../driver.ts';
import { ownProcesses, type CgroupOwner } from '../kill-processes.ts';
import type { Paths } from '../paths.ts';
import type { Scopes } from './scopes.ts';
import type { Slices } from './slices.ts';

export interface SystemdDriverParts {
  readonly capabilities: Capabilities;
  readonly paths: Paths;
  /** Everything that the driver keeps open. */
  readonly opened: Disposable;
  /** The tree of resellers and their tenants, below the delegated unit. */
  readonly below: CgroupDriver;
  /** The same hierarchy, in which `u1001` and its sites are slices; `reader` is a driver that only reads it. */
  readonly hierarchy: Hierarchy;
  readonly reader: CgroupDriver;
  readonly slices: Slices;
  readonly scopes: Scopes;
}

/** The number of cgroups listed; a tenant can make any number below its user manager. */
const cgroupsMax = 1_000;
const moveRounds = 10;
const processFile = 'cgroup.procs';
/** The prefix of a tenant without a reseller that the `cgroup2` driver has left in the tree. */
const former = './';

export class SystemdDriver implements Driver {
  readonly capabilities: Capabilities;
  readonly tree: Tree;
  readonly #parts: SystemdDriverParts;

  constructor(parts: SystemdDriverParts) {
    this.capabilities = parts.capabilities;
    this.tree = {
      version: 2,
      hierarchies: [parts.hierarchy],
      slices: {
        instance: parts.paths.instance,
        hasCgroup: (cgroup) => parts.hierarchy.files.exists(cgroup),
        processes: (cgroup) => this.processes(cgroup),
      },
    };
    this.#parts = parts;
  }

  get context(): WantedContext {
    return this.#parts.below.context;
  }

  observe(wanted: Wanted): Observed {
    const { below, slices } = this.#parts;
    const {
      inTree = [],
      inSlices = [],
      misfits = [],
    } = Object.groupBy(wanted.cgroups, ({ unit, path }) => {
      if (isMisfit(path)) return 'misfits';
      return unit === undefined ? 'inTree' : 'inSlices';
    });
    const missing: ObservedCgroup = { missing: [this.#parts.hierarchy.name], files: new Map() };
    const found = below.observe({ ...wanted, cgroups: inTree });
    return {
      ...found,
      preparations: inTree.length > 0 || this.#followsTree() ? found.preparations : [],
      cgroups: new Map<string, ObservedCgroup>([
        ...found.cgroups,
        ...slices.observe(inSlices),
        ...misfits.map((each) => [each.path, missing] as const),
      ]),
      orphans: [
        ...slices.orphans(new Set(inSlices.map(({ path }) => path))),
        ...found.orphans.filter(({ path }) => path !== '').map(formerTenant),
      ],
      stale: slices.isStale,
      unfinished: slices.unfinished(),
    };
  }

  /**
   * Whether the `cgroup2` driver was in force. Tenants in its tree are former ones from now on, also for the apply
   * after a killed one.
   */
  #followsTree(): boolean {
    return delegatedTo(this.#parts.paths.instance) === 'tenants';
  }

  execute(operation: Operation, options: ExecuteOptions): Result<void, Problem> {
    const { below, slices } = this.#parts;
    switch (operation.kind) {
      case 'unit':
        return this.#write(operation, options);
      case 'realize':
        return this.#spare(operation.writes, options, () => slices.realize(operation));
      case 'reload':
        return slices.reload();
      case 'move':
        return this.#move(operation);
      case 'remove':
        return this.#remove(operation, options);
      case 'create':
        return isMisfit(operation.cgroup)
          ? tooLong(operation.label)
          : below.execute(operation, options);
      case 'prepare':
      case 'write':
      case 'quota':
        return below.execute(operation, options);
    }
  }

  /**
   * Writes a file, unless a limit in it cannot be lowered: the old one stays. A tenant without one must not keep that so
   * by what it has in use: the next start of its slice has the limit.
   */
  #write(operation: WriteUnit, options: ExecuteOptions): Result<void, Problem> {
    const write = () => this.#parts.slices.write(operation);
    return (operation.from ?? '') === '' ? write() : this.#spare(operation.writes, options, write);
  }

  /**
   * Frees memory before anything of the tenant is changed: a limit below the memory in use would kill its processes.
   */
  #spare(
    writes: readonly WriteFile[],
    options: ExecuteOptions,
    then: () => Result<void, Problem>,
  ): Result<void, Problem> {
    const { files } = this.#parts.hierarchy;
    const lower = writes.find(
      ({ attribute, direction }) => attribute === 'memory.limit' && direction === 'lower',
    );
    if (lower === undefined) return then();
    const spared = spareMemory(lower, { files, version: 2, driver: this }, options);
    return spared.ok ? then() : spared;
  }

  /** Leaves processes that come late to the next apply: with one hierarchy, none is in some of its cgroups only. */
  #remove(
    { to, ...operation }: RemoveCgroup,
    { kill, ...options }: ExecuteOptions,
  ): Result<void, Problem> {
    const { below, slices } = this.#parts;
    if (sliceNamed(operation.cgroup) !== undefined) return slices.remove(operation.cgroup);
    // A tenant that only has another place stays, and so do its processes.
    const mayKill = kill && to === undefined;
    const inside = { ...operation, cgroup: inTree(operation.cgroup) };
    return below.execute(inside, { ...options, kill: mayKill });
  }

  /** Moves processes. Listing again catches processes forked meanwhile. */
  #move({ from, to, label }: MoveProcesses): Result<void, Problem> {
    let problem: Problem | undefined;
    for (let round = 0; round < moveRounds; round++) {
      const left = this.#movable(from);
      if (left.length === 0) return ok(undefined);
      for (const pid of left) {
        const moved = this.#moveOne(pid, to);
        if (!moved.ok) problem = moved.error;
      }
    }
    const left = this.#movable(from).length;
    if (left === 0) return ok(undefined);
    const reason = `${left} are left${problem === undefined ? '' : `: ${problem.reason}`}`;
    return failed({ action: `move all processes of ${label} from ${from} to`, object: to, reason });
  }

  #moveOne(pid: number, to: string): Result<void, Problem> {
    const owner = sliceOwner(to);
    if (owner !== undefined) return this.#parts.scopes.place(owner, pid);
    const written = this.#parts.hierarchy.files.write(to, processFile, String(pid));
    if (written.ok || written.error === 'ESRCH') return ok(undefined);
    return failed({
      action: 'move a process to',
      object: to,
      reason: formatErrno(written.error),
    });
  }

  /**
   * Returns the processes that may move. A user manager with its processes, and root's session leaders, stay with
   * systemd.
   */
  #movable(cgroup: string): readonly number[] {
    const slice = sliceOwner(cgroup);
    if (slice === undefined) return this.#parts.below.processes(inTree(cgroup));
    const manager = slice.site === undefined ? `user@${slice.uid}.service` : undefined;
    return ownProcesses(this.#processesIn(cgroup, manager), this.ownerOf(cgroup));
  }

  memoryInUse(cgroup: string): number | undefined {
    return this.#parts.reader.memoryInUse(cgroup);
  }

  processes(cgroup: string): readonly number[] {
    if (sliceOwner(cgroup) === undefined) return this.#parts.below.processes(cgroup);
    return this.#processesIn(cgroup);
  }

  /** Returns the processes of a slice and of all cgroups that systemd has made in it, except one directly below. */
  #processesIn(slice: string, without?: string): readonly number[] {
    const { files } = this.#parts.hierarchy;
    const cgroups = [slice];
    const pids = new Set<number>();
    // Cgroups found on the way go to the end of the list: systemd's before a tenant's.
    for (const cgroup of cgroups) {
      for (const pid of pidsOf(files.read(cgroup, processFile))) pids.add(pid);
      const space = cgroupsMax - cgroups.length;
      const children = space > 0 ? files.children(cgroup) : [];
      const below = children.filter((name) => cgroup !== slice || name !== without);
      // The dot keeps the unit "s-x.service" from being taken for a site.
      const path = cgroup === slice ? `${cgroup}/.` : cgroup;
      cgroups.push(...below.slice(0, space).map((name) => `${path}/${name}`));
    }
    return [...pids].sort((a, b) => a - b);
  }

  /** Returns the counters. A slice in which nothing runs uses nothing. */
  counters(cgroup: string): Counters | undefined {
    const { reader, slices } = this.#parts;
    const found = reader.counters(cgroup);
    const owner = sliceOwner(cgroup);
    if (owner === undefined) return found;
    if (found === undefined) return slices.has(owner) ? noCounters : undefined;
    return { ...found, processes: this.processes(cgroup).length };
  }

  ownerOf(cgroup: string): CgroupOwner {
    if (sliceOwner(cgroup) === undefined) return this.#parts.below.ownerOf(cgroup);
    const uid = uidOfCgroup(cgroup);
    const tenants = new Set([uid ?? 0, ...this.#parts.slices.owners.map((each) => each.uid)]);
    const subordinate = readSubordinateUids(this.#parts.paths, tenants);
    return { uid, ownership: new Ownership(tenants, subordinate) };
  }

  publish(wanted: Wanted): Result<void, Problem> {
    return this.#parts.below.publish(wanted);
  }

  /** Releases the slices. Their processes keep running in systemd's slices, without our limits. */
  release(options: { readonly kill: boolean }): Result<void, readonly Problem[]> {
    const left = this.#parts.slices.release();
    const released = this.#parts.below.release(options);
    if (left.ok) return released;
    return fail(released.ok ? [left.error] : [left.error, ...released.error]);
  }

  [Symbol.dispose](): void {
    this.#parts.opened[Symbol.dispose]();
  }
}

const tooLong = (label: string) =>
  failed({
    action: 'limit',
    object: label,
    reason: 'the name is too long for a slice of systemd; the limits of its tenant hold for it',
    hint: 'use the driver "cgroup2", or take the site out of the policy',
  });

/** Marks a former tenant with the parts that it has there. */
function formerTenant(orphan: OrphanCgroup): OrphanCgroup {
  const { path } = orphan;
  const isFormer = sliceTenant(path) !== undefined || isPartOfSlice(path);
  return isFormer ? { ...orphan, path: `${former}${path}` } : orphan;
}

const inTree = (cgroup: string) =>
  cgroup.startsWith(former) ? cgroup.slice(former.length) : cgroup;
