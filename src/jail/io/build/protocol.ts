/** Requests to the process that builds jails, and its answers. Both are written by v8.serialize. */
import type { Problem } from '../../../../packages/base/problem.ts';
import {
  nameOf as nameOfTenant,
  siteName,
  type Account,
  type Identity,
} from '../../../policy/policy.ts';
import type { Jail } from '../../../policy/jail.ts';
import type { DatabaseSocket } from '../../../host/databases/database-files.ts';
import type { JailId, JailKey } from '../../core/jail-key.ts';

/** The failed action if this process may not change its namespaces at all. */
export const enterAction = 'enter the jails';

/** A tenant or site with a jail. A site's `account` has the site's directory as its home. */
export interface JailTenant extends JailId {
  readonly account: Account | undefined;
  readonly jail: Jail;
  /** The tenant's last home, also for a site; present if the account does not exist now. */
  readonly missingHome?: string;
}

/** Returns the name for people: `alice/shop.example`. */
export const jailName = (of: JailId & Identity): string =>
  of.site === undefined ? nameOfTenant(of) : siteName(nameOfTenant(of), of.site);

export type BuildRequest =
  /** Builds jails that are missing or outdated, and drops jails that no tenant has any more. */
  | {
      readonly kind: 'build';
      readonly instance: string;
      readonly tenants: readonly JailTenant[];
      /** Sockets that were found; the builder checks each before it mounts it. */
      readonly databases: readonly DatabaseSocket[];
    }
  /** Removes everything. */
  | { readonly kind: 'release'; readonly instance: string }
  /** Lists the names in directories of a jail, and of the host. */
  | {
      readonly kind: 'list';
      readonly instance: string;
      readonly key: JailKey;
      readonly directories: readonly string[];
    }
  /** Measures the resources that all of them use. */
  | { readonly kind: 'cost'; readonly instance: string };

/** The names in one directory; absent if it does not exist or cannot be read. */
export interface Listing {
  readonly directory: string;
  readonly host: readonly string[] | undefined;
  readonly jail: readonly string[] | undefined;
}

export interface Cost {
  /** The bytes in the vault's file system: skeletons, and a few files for each tenant. */
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
  /** Sockets of database servers that could not be mounted or unmounted; jails are in force all the same. */
  readonly sockets: readonly Problem[];
  readonly listings: readonly Listing[];
  readonly cost: Cost | undefined;
  readonly milliseconds: number;
}
