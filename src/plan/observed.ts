/** The current state of the kernel, as far as it concerns a Wanted. */
import type { QuotaLimits } from './quota.ts';

export interface ObservedCgroup {
  /** Hierarchies (their names) in which the cgroup does not exist. */
  readonly missing: readonly string[];
  /** File name → its text. A missing file is absent. */
  readonly files: ReadonlyMap<string, string>;
  /** Processes directly in the cgroup of a tenant with sites, not in one of its parts. */
  readonly astray?: readonly number[];
  /** The unit file's text if systemd makes the tenant's cgroup, and whether something runs in the cgroup. */
  readonly unit?: { readonly text: string | undefined; readonly active: boolean };
}

/** A cgroup of ours that belongs to no tenant or reseller of the policy. */
export interface OrphanCgroup {
  readonly path: string;
  readonly hierarchies: readonly string[];
  readonly processes: readonly number[];
  /** A slice's file, and whether something runs in it, which then keeps running. */
  readonly unit?: { readonly unit: string; readonly path: string; readonly active: boolean };
}

/** A slice that may still have limits in the kernel which are in no file of ours any more. */
export interface UnfinishedSlice {
  readonly path: string;
  readonly unit: string;
  /** Whether something runs in it. */
  readonly active: boolean;
}

export interface Observed {
  readonly cgroups: ReadonlyMap<string, ObservedCgroup>;
  /** The orphans, children before parents, so that they can be removed in this order. */
  readonly orphans: readonly OrphanCgroup[];
  /** The quotas, by `placeKey`. */
  readonly quotas: ReadonlyMap<string, QuotaLimits>;
  /** Steps required before any cgroup can be created; empty once they are done. */
  readonly preparations: readonly Preparation[];
  /** Whether systemd has not read its files again since they changed. */
  readonly stale?: boolean;
  /** Slices that an apply which was interrupted has not left to systemd. */
  readonly unfinished?: readonly UnfinishedSlice[];
}

/** A step that sets up Bulkhead's tree. `id` is internal to the driver. */
export interface Preparation {
  /** The step's name, which depends on the driver. */
  readonly id: string;
  /** A description for display: the change to be made. */
  readonly summary: string;
  /** The names in the description; absent if it has none. */
  readonly names?: readonly string[];
}
