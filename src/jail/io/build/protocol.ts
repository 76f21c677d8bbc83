/** What the process that builds jails is asked, and what it answers. Both as v8.serialize writes them. */
import type { Problem } from '../../../base/problem.ts';
import { nameOf as nameOfTenant, siteName, type Account } from '../../../policy/policy.ts';
import type { Jail } from '../../../policy/jail.ts';
import type { JailId, JailKey } from '../../core/jail-key.ts';

/** What was tried where this process may not change its namespaces at all. */
export const enterAction = 'enter the jails';

/** Of a site, `account` has the directory of the site as its home. */
export interface JailTenant extends JailId {
  readonly account: Account | undefined;
  readonly jail: Jail;
}

/** For people: `alice/shop.example`. */
export const nameOf = (of: JailTenant): string =>
  of.site === undefined ? nameOfTenant(of) : siteName(nameOfTenant(of), of.site);

export type BuildRequest =
  /** Builds what is missing or not as it should be, and drops what no tenant has any more. */
  | { readonly kind: 'build'; readonly instance: string; readonly tenants: readonly JailTenant[] }
  /** Removes everything. */
  | { readonly kind: 'release'; readonly instance: string }
  /** The names in directories of a jail, and of the host. */
  | {
      readonly kind: 'list';
      readonly instance: string;
      readonly key: JailKey;
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
  /** Mounts in each jail. */
  readonly mounts: ReadonlyMap<JailKey, number>;
  /** `user.max_mnt_namespaces`, and how many jails use one. */
  readonly namespacesMax: number | undefined;
  readonly namespaces: number;
}

export interface BuildAnswer {
  readonly built: readonly JailKey[];
  readonly kept: number;
  readonly dropped: readonly JailKey[];
  readonly problems: readonly Problem[];
  readonly listings: readonly Listing[];
  readonly cost: Cost | undefined;
  readonly milliseconds: number;
}
