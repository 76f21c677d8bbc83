/**
 * How limits are enforced on one host: the interface implemented for cgroup v1, cgroup v2 and
 * systemd; everything above it is the same for all.
 */
import type { Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import type { Counters, LimitKey } from '../limits/limit.ts';
import type { Support } from '../limits/support.ts';
import type { DriverName } from '../policy/document.ts';
import type { Observed } from '../plan/observed.ts';
import type { Operation } from '../plan/operations.ts';
import type { Wanted, WantedContext } from '../plan/wanted.ts';
import type { CgroupOwner } from './kill-processes.ts';
import type { Hierarchy } from './cgroups/hierarchies.ts';

/** This host's abilities to enforce limits, probed once. */
export interface Capabilities {
  readonly driver: DriverName;
  /** The reason for choosing this driver. */
  readonly reason: string;
  readonly limits: ReadonlyMap<LimitKey, Support>;
  /** `MAJOR:MINOR` of the disks that are throttled. */
  readonly devices: readonly string[];
  /** The reason why it differs from a new host's driver, and how to change that. */
  readonly kept?: string;
  /** Remarks for the administrator, with remedies. */
  readonly remarks: readonly string[];
}

export interface ExecuteOptions {
  /** Kill the processes of tenants that are removed. */
  readonly kill: boolean;
  /** Lower memory even if processes must be killed for it. */
  readonly force: boolean;
}

export interface Failure {
  readonly operation: Operation;
  readonly problem: Problem;
}

/** The hierarchies, for code that reads or writes many cgroups repeatedly. */
export interface Tree {
  readonly version: 1 | 2;
  readonly hierarchies: readonly Hierarchy[];
  /** The slice tree, if tenants without a reseller are systemd slices. */
  readonly slices?: SliceTree;
}

/**
 * The slices, each by its cgroup name, `u1001`. A slice has a cgroup only while something runs in
 * it.
 */
export interface SliceTree {
  /** The instance, which is part of the names of the scopes in the slices. */
  readonly instance: string;
  readonly hasCgroup: (cgroup: string) => boolean;
  /** Returns all processes of a slice, also in the cgroups that systemd has made in it. */
  readonly processes: (cgroup: string) => readonly number[];
}

/** Keeps the mounts of its hierarchies open; disposing closes them, and nothing of it may be used then. */
export interface Driver extends Disposable {
  readonly capabilities: Capabilities;
  readonly tree: Tree;
  /** The facts of this host on which the wanted state depends; see `wantedOnHost`. */
  readonly context: WantedContext;
  readonly observe: (wanted: Wanted) => Observed;
  readonly execute: (operation: Operation, options: ExecuteOptions) => Result<void, Problem>;
  /** Returns the memory in use by a cgroup, in bytes. */
  readonly memoryInUse: (cgroup: string) => number | undefined;
  readonly processes: (cgroup: string) => readonly number[];
  readonly ownerOf: (cgroup: string) => CgroupOwner;
  readonly counters: (cgroup: string) => Counters | undefined;
  /** Records the location of the cgroups for the launcher, and which quotas are set. */
  readonly publish: (wanted: Wanted) => Result<void, Problem>;
  /** Removes everything of this instance; processes are killed only if asked to. */
  readonly release: (options: { readonly kill: boolean }) => Result<void, readonly Problem[]>;
}
