/** What the process that builds jails is asked, and what it answers. Both as v8.serialize writes them. */
import type { Problem } from '../../../base/problem.ts';
import type { Account } from '../../../policy/policy.ts';
import type { Jail } from '../../../policy/jail.ts';

/** What was tried where this process may not change its namespaces at all. */
export const enterAction = 'enter the jails';

export interface JailTenant {
  readonly uid: number;
  readonly account: Account | undefined;
  readonly jail: Jail;
}

export type BuildRequest =
  /** Builds what is missing or not as it should be, and drops what no tenant has any more. */
  | { readonly kind: 'build'; readonly instance: string; readonly tenants: readonly JailTenant[] }
  /** Removes everything. */
  | { readonly kind: 'release'; readonly instance: string }
  /** The names in directories of a tenant's jail, and of the host. */
  | {
      readonly kind: 'list';
      readonly instance: string;
      readonly uid: number;
      readonly directories: readonly string[];
    }
  /** What all of them take. */
  | { readonly kind: 'cost'; readonly instance: string };

/** Of one directory; absent where there is none, or it cannot be read. */
export interface Listing {
  readonly directory: string;
  readonly host: readonly string[] | undefined;
  readonly jail: readonly string[] | undefined;
}

export interface Cost {
  /** In the vault's file system: skeletons, and few files a tenant. */
  readonly memoryBytes: number;
  /** Mounts of the host's own table that are Bulkhead's. */
  readonly hostMounts: number;
  /** Mounts in each jail, by uid. */
  readonly mounts: ReadonlyMap<number, number>;
  /** `user.max_mnt_namespaces`, and how many jails use one. */
  readonly namespacesMax: number | undefined;
  readonly namespaces: number;
}

export interface BuildAnswer {
  readonly built: readonly number[];
  readonly kept: number;
  readonly dropped: readonly number[];
  readonly problems: readonly Problem[];
  readonly listings: readonly Listing[];
  readonly cost: Cost | undefined;
  readonly milliseconds: number;
}
