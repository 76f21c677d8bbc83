/** The current state of the kernel, as far as a Wanted is concerned. */
import type { QuotaLimits } from './quota.ts';

export interface ObservedCgroup {
  /** Hierarchies (their names) in which the cgroup does not exist. */
  readonly missing: readonly string[];
  /** File name → its text. A file that is not there is absent. */
  readonly files: ReadonlyMap<string, string>;
  /** Processes in the cgroup of a tenant with sites itself, instead of in one of its parts. */
  readonly astray?: readonly number[];
  /** Of a tenant whose cgroup is made by systemd: the text of its file, and whether something runs in its cgroup. */
  readonly unit?: { readonly text: string | undefined; readonly active: boolean };
}

/** A cgroup of ours that belongs to no tenant or reseller of the policy. */
export interface OrphanCgroup {
  readonly path: string;
  readonly hierarchies: readonly string[];
  readonly processes: readonly number[];
  /** Of a slice: its file, and whether something runs in it, which goes on then. */
  readonly unit?: { readonly unit: string; readonly path: string; readonly active: boolean };
}

export interface Observed {
  readonly cgroups: ReadonlyMap<string, ObservedCgroup>;
  /** Children before parents, so that they can be removed in this order. */
  readonly orphans: readonly OrphanCgroup[];
  /** By `placeKey`. */
  readonly quotas: ReadonlyMap<string, QuotaLimits>;
  /** Steps that are required before any cgroup can be created; empty once they are done. */
  readonly preparations: readonly Preparation[];
  /** Whether systemd has not read its files again since they were changed. */
  readonly stale?: boolean;
}

/** A step that sets up Bulkhead's tree. `id` is internal to the driver. */
export interface Preparation {
  readonly id: string;
  /** For display: what will be done. */
  readonly summary: string;
}
