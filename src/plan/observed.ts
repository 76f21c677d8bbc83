/** What the kernel holds now, as far as it concerns a Wanted. */
import type { QuotaLimits } from './quota.ts';

export interface ObservedCgroup {
  /** Hierarchies (their names) in which the cgroup does not exist. */
  readonly missing: readonly string[];
  /** File name → its text. A file that is not there is absent. */
  readonly files: ReadonlyMap<string, string>;
}

/** A cgroup of ours that no tenant and no reseller of the policy has. */
export interface OrphanCgroup {
  readonly path: string;
  readonly hierarchies: readonly string[];
  readonly processes: readonly number[];
}

export interface Observed {
  readonly cgroups: ReadonlyMap<string, ObservedCgroup>;
  /** Children before parents, so that they can be removed in this order. */
  readonly orphans: readonly OrphanCgroup[];
  /** By `placeKey`. */
  readonly quotas: ReadonlyMap<string, QuotaLimits>;
  /** What is still to do before there can be any cgroup; nothing once it has been done. */
  readonly preparations: readonly Preparation[];
}

/** A step that makes room for Bulkhead's tree. `id` is the driver's own word for it. */
export interface Preparation {
  readonly id: string;
  /** For people: what will be done. */
  readonly summary: string;
}
