/**
 * Moves one process into its cgroup.
 *
 * Processes of root and of uids that are not tenants are never moved, not even out. A process that
 * cannot be read is not assumed to be gone: it may be alive, and outside.
 */
import { formatProblem, type Errno } from '../../../packages/base/problem.ts';
import { cgroupPath } from '../../plan/slice.ts';
import { formatErrno } from '../../../packages/base/io/errno.ts';
import { openProcess, type OpenProcess } from '../../sys/processes/pidfd.ts';
import { Ownership } from '../accounts/ownership.ts';
import { Scopes } from '../systemd/scopes.ts';
import { foreignCgroup } from './foreign.ts';
import { CgroupProcsFiles } from './cgroup-procs-files.ts';
import { ProcessReader, type Owner, type Unread } from './process-reader.ts';
import type { PlacerHierarchy, TargetsCommand } from './protocol.ts';

export type PlacementResult =
  | 'gone'
  | 'other'
  | 'inside'
  | 'moved'
  /** It is outside, for this reason. */
  | { readonly uid: number; readonly reason: string }
  /** It is unknown where it is, for this reason. */
  | { readonly unknown: string };

/** Called for each process that is visited. */
interface PlacerWatch {
  /** Called if a cgroup is missing; possibly repeatedly. */
  readonly missing: (cgroup: string) => void;
  /** Called for a tenant's process, wherever it is; `uid` is its real one. */
  readonly seen?: (pid: number, tenant: number, uid: number) => void;
  /** Called if a tenant's process was outside when it was inspected, whether or not it was moved then. */
  readonly outside?: (tenant: number, pid: number) => void;
}

const nobodyMoves = 'it is not moved, since no agent is running';

/** Times kept short, since all other processes to be placed wait meanwhile. */
const scopeOptions = { startMilliseconds: 2_000, pauseMilliseconds: 1_000 };

/** Each entry takes some hundred bytes. */
const insideTextsMax = 4_096;

export class Placer {
  migrated = 0;
  readonly #procsFiles = new CgroupProcsFiles();
  readonly #reader = new ProcessReader();
  readonly #watch: PlacerWatch;
  readonly #moves: boolean;
  #cgroups: ReadonlyMap<number, string> = new Map();
  /** The part of a divided cgroup to which processes are moved. */
  #homes: ReadonlyMap<string, string> = new Map();
  #ownership = new Ownership(new Set(), []);
  #hierarchies: readonly PlacerHierarchy[] = [];
  #unified = false;
  #containers: 'leave' | 'move' = 'leave';
  #scopes: Scopes | undefined;
  /** The last /proc/PID/cgroup of a process inside, by cgroup: most are the same. */
  readonly #insideTexts = new Map<string, string>();

  constructor(watch: PlacerWatch, { moves }: { readonly moves: boolean }) {
    this.#watch = watch;
    this.#moves = moves;
  }

  use({ tree, targets, subordinate, containers }: TargetsCommand): void {
    this.#procsFiles.use(tree);
    this.#insideTexts.clear();
    this.#hierarchies = tree.hierarchies;
    this.#unified = tree.version === 2;
    this.#containers = containers;
    const own = targets.filter(([uid]) => uid > 0);
    this.#cgroups = new Map(own.map(([uid, cgroup]) => [uid, cgroup]));
    this.#homes = new Map(own.flatMap(([, cgroup, home]) => (home ? [[cgroup, home]] : [])));
    this.#ownership = new Ownership(this.#cgroups, subordinate);
  }

  /** Returns the tenant according to an event; undefined if its user namespace must be checked. */
  tenantOf(ruid: number, euid: number): number | undefined {
    return this.#ownership.byUids({ ruid, euid });
  }

  /** Returns whether a uid is the tenant's own or one of its subordinate ones. */
  owns(tenant: number, uid: number): boolean {
    return this.#ownership.byMaker(uid) === tenant;
  }

  /** Inspects a process, and moves it if needed. */
  place(pid: number): PlacementResult {
    const read = this.#reader.owner(pid);
    if (!read.ok) return unread(pid, read.error);
    const owner = read.value;
    if (owner.dead) return 'gone';
    // A thread moves with its process, whose pid is visited, too.
    if (owner.tgid !== pid) return 'other';
    const tenant = this.#tenant(pid, owner);
    if (typeof tenant !== 'number') return tenant;
    this.#watch.seen?.(pid, tenant, owner.ruid);
    return this.#placeOf(tenant, pid, owner);
  }

  #tenant(pid: number, owner: Owner): number | PlacementResult {
    const tenant = this.#ownership.tenantOf(owner, () =>
      this.#reader.namespaceMaker(pid, owner.thread),
    );
    return tenant.ok ? (tenant.value ?? 'other') : unread(pid, tenant.error);
  }

  #placeOf(tenant: number, pid: number, owner: Owner): PlacementResult {
    const cgroup = this.#cgroups.get(tenant) ?? '';
    const read = this.#reader.cgroups(pid, owner.thread);
    if (!read.ok) {
      if (read.error === 'gone') this.#watch.outside?.(tenant, pid);
      return unread(pid, read.error);
    }
    const text = read.value;
    if (this.#insideTexts.get(cgroup) === text) return 'inside';
    const paths = this.#pathsOf(text);
    const outside = [...paths.keys()].filter((index) => !this.#isIn(cgroup, paths, index));
    if (outside.length === 0) {
      if (this.#insideTexts.size >= insideTextsMax) this.#insideTexts.clear();
      this.#insideTexts.set(cgroup, text);
      return 'inside';
    }
    const foreign = this.#foreignOf(paths);
    if (foreign !== undefined) return { uid: tenant, reason: foreign };
    if (!this.#moves) return { uid: tenant, reason: nobodyMoves };
    this.#watch.outside?.(tenant, pid);
    return this.#move(pid, tenant, this.#homes.get(cgroup) ?? cgroup, outside);
  }

  /** Returns its path in each hierarchy of the tree. */
  #pathsOf(text: string): readonly string[] {
    const lines = text.split('\n').map((line) => {
      const [, controllers = '', ...path] = line.split(':');
      return { controllers: controllers.split(','), path: path.join(':') };
    });
    return this.#hierarchies.map(({ controller }) => {
      const name = this.#unified ? '' : controller;
      return lines.find((each) => each.controllers.includes(name))?.path ?? '';
    });
  }

  #isIn(cgroup: string, paths: readonly string[], index: number): boolean {
    const hierarchy = this.#hierarchies[index];
    const wanted = hierarchy === undefined ? '' : cgroupPath(hierarchy, cgroup);
    const path = paths[index] ?? '';
    // In a divided cgroup a process belongs in one of the parts; v1 would let it stay next to them.
    return (path === wanted && !this.#homes.has(cgroup)) || path.startsWith(`${wanted}/`);
  }

  /** Returns why it stays in another manager's cgroup, if it is in one. */
  #foreignOf(paths: readonly string[]): string | undefined {
    for (const [index, path] of paths.entries()) {
      if (path.startsWith(`${this.#hierarchies[index]?.path}/`)) continue;
      const foreign = foreignCgroup(path);
      if (foreign === undefined) continue;
      if (foreign.kind === 'user manager' || this.#containers === 'leave') return foreign.reason;
    }
    return undefined;
  }

  /** Moves a process. cgroup.procs takes a pid, which must still be this process's after the write. */
  #move(pid: number, tenant: number, cgroup: string, outside: readonly number[]): PlacementResult {
    const opened = openProcess(pid);
    if (!opened.ok) return unread(pid, opened.error === 'ESRCH' ? 'gone' : opened.error);
    using process = opened.value;
    if (this.tenantOfProcess(pid) !== tenant) return 'gone';
    let refused: Errno | undefined;
    for (const index of outside) {
      const moved = this.#procsFiles.move(pid, cgroup, index);
      if (moved.ok) continue;
      if (moved.error === 'ESRCH') return 'gone';
      const scopes = moved.error === 'ENOENT' ? this.#scopesFor(tenant, index) : undefined;
      if (scopes !== undefined) return this.#start(scopes, tenant, pid, process);
      if (moved.error === 'ENOENT') this.#watch.missing(cgroup);
      refused ??= moved.error;
    }
    if (refused !== undefined) return this.#refused(tenant, cgroup, refused);
    this.migrated++;
    const strange =
      !process.isThere() && this.tenantOfProcess(pid) !== tenant && this.#isAlive(pid);
    return strange ? { unknown: `Process ${pid} exited while it was being moved` } : 'moved';
  }

  /** Returns undefined if the tenant has no slice. */
  #scopesFor(uid: number, index: number): Scopes | undefined {
    const hierarchy = this.#hierarchies[index];
    if (hierarchy?.slices === undefined || this.#cgroups.get(uid) !== `u${uid}`) return undefined;
    const { mountPoint, slices } = hierarchy;
    this.#scopes ??= new Scopes(mountPoint, slices.instance, scopeOptions);
    return this.#scopes;
  }

  /** Lets systemd move the tenant's first process outside its slice. Unknown processes are scanned again soon. */
  #start(scopes: Scopes, uid: number, pid: number, process: OpenProcess): PlacementResult {
    const started = scopes.start({ uid }, pid);
    // `process` was open before systemd answered, so the pid was not another's by then.
    if (started.ok && started.value === 'started' && !process.isThere() && this.#isAlive(pid)) {
      return { unknown: `Process ${pid} exited while it was being moved` };
    }
    if (!started.ok) return this.#isAlive(pid) ? { unknown: formatProblem(started.error) } : 'gone';
    if (started.value === 'exists') {
      return {
        unknown: `Process ${pid} of uid ${uid} waits for its scope, which systemd is making`,
      };
    }
    this.migrated++;
    return 'moved';
  }

  #isAlive(pid: number): boolean {
    const owner = this.#reader.owner(pid);
    return !owner.ok ? owner.error !== 'gone' : !owner.value.dead;
  }

  #refused(uid: number, cgroup: string, error: Errno): PlacementResult {
    const reason =
      error === 'ENOENT' ? 'it does not exist' : `the kernel refused it with ${formatErrno(error)}`;
    return {
      uid,
      reason: formatProblem({ action: 'move it into the cgroup', object: cgroup, reason }),
    };
  }

  /** Returns whether a tenant's process is stopped. */
  stopped(pid: number): ReturnType<ProcessReader['stopped']> {
    return this.#reader.stopped(pid);
  }

  /** Returns the tenant of a process; moves nothing. */
  tenantOfProcess(pid: number): number | undefined {
    const owner = this.#reader.owner(pid);
    if (!owner.ok || owner.value.dead) return undefined;
    const tenant = this.#tenant(pid, owner.value);
    return typeof tenant === 'number' ? tenant : undefined;
  }
}

function unread(pid: number, error: Unread): PlacementResult {
  if (error === 'gone') return 'gone';
  const action = `read who process ${pid} is`;
  return { unknown: formatProblem({ action, reason: formatErrno(error) }) };
}
