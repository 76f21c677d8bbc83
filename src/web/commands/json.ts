/** The values that `bulkhead web` prints with `--json`. Schemas are generated from these types. */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Bound } from '../core/entries/limits.ts';
import type { PoolStranger } from '../core/fpm/strangers.ts';
import type { KeptPool } from '../core/fpm/service/split.ts';
import type { Note } from '../core/notes.ts';
import type { Overview, SiteView } from '../core/overview.ts';
import type { OwnerAnswer } from '../core/owner.ts';
import type { OwnSiteLimits } from '../core/site-limits.ts';
import type { ReloadResult, ServerEntries } from '../io/entries/server-entries.ts';
import type { SplitRefusal } from '../io/fpm/checked-split.ts';
import type { NotServed } from '../io/servers.ts';
import type { FpmPlan } from '../io/fpm/plan.ts';
import type { SuexecState } from '../io/suexec/suexec-state.ts';

/** Every site of nginx and Apache, and every PHP-FPM pool. */
export interface WebStatusJson extends Omit<Overview, 'sites'> {
  /** The sites. */
  readonly sites: readonly WebSiteJson[];
  /** The web servers and PHP-FPM that Bulkhead finds, and leaves alone. */
  readonly notServed: readonly NotServed[];
  readonly notes: readonly Note[];
}

export interface WebSiteJson extends Omit<SiteView, 'owner' | 'vhost' | 'logs'> {
  /** The tenant that owns the site, and what shows that; null if nobody does. */
  readonly owner: OwnerAnswer | null;
  /** The limits on concurrent requests that the policy sets for it, innermost first. */
  readonly entryLimits: readonly Bound[];
  /** The limits of the tenant's site that the vhost belongs to; null if it has none. */
  readonly ownLimits: OwnSiteLimits | null;
}

/** Which suexec Apache calls, and whether Bulkhead's works. */
export type WebSuexecStatusJson = SuexecState;

/** The services of tenants' PHP-FPM pools, by version of PHP. */
export interface WebFpmStatusJson {
  /** The versions of PHP that the host has. */
  readonly versions: readonly FpmVersionStatus[];
  readonly problems: readonly Problem[];
}

/** The services after a change, or with `--dry-run` those that there would be. */
export interface WebFpmEnableJson {
  readonly dryRun: boolean;
  /** The versions of PHP that the host has. */
  readonly versions: readonly FpmVersion[];
  readonly problems: readonly Problem[];
}

/** The services after a change, or with `--dry-run` those that there would be. */
export type WebFpmDisableJson = WebFpmEnableJson;

export interface FpmVersion {
  /** The name of the build: `8.4`, or one such as `ea-php83` of a panel's. */
  readonly php: string;
  /** The services of tenants. */
  readonly services: readonly FpmService[];
  /** Pools that stay with the distribution's service. */
  readonly kept: readonly KeptPool[];
  /** Tenants whose new configuration php-fpm does not accept; they keep what they had. */
  readonly refused: readonly SplitRefusal[];
  /** Files to write. */
  readonly writes: readonly string[];
  /** Files to remove. */
  readonly removes: readonly string[];
  /** Sockets at which services begin to listen. */
  readonly opens: readonly string[];
  /** Sockets at which services no longer listen. */
  readonly closes: readonly string[];
  /** The change of the distribution's service. */
  readonly distribution: FpmPlan['distribution'];
}

export interface FpmVersionStatus extends Omit<FpmVersion, 'services'> {
  /** The services of tenants. */
  readonly services: readonly FpmServiceStatus[];
  /** Whether any tenant is to have a service. */
  readonly enabled: boolean;
  /** Whether files and services are as the pools require. */
  readonly current: boolean;
  /** Processes that listen where a pool should, and are not php-fpm. */
  readonly strangers: readonly PoolStranger[];
}

export interface FpmService {
  readonly uid: number;
  /** The tenant's account. */
  readonly user: string;
  /** The site; absent for a service of everything else. */
  readonly site?: string;
  /** Whether it runs in a jail. */
  readonly jailed: boolean;
  /** The account that php-fpm's master runs as. */
  readonly master: 'tenant' | 'root';
  /** The reason why the master has to be root. */
  readonly why?: string;
  /** The pools that the service runs. */
  readonly pools: readonly FpmServicePool[];
}

export interface FpmServiceStatus extends FpmService {
  /** `idle`, `running`, `not listening`, or another state of the systemd unit. */
  readonly state?: string;
}

export interface FpmServicePool {
  /** The pool's name. */
  readonly name: string;
  /** The socket. */
  readonly listen: string;
  /** `static`, `dynamic` or `ondemand`. */
  readonly pm: string;
}

/** The sites at which web servers enforce the policy's limits on entries. */
export interface WebEntriesStatusJson {
  /** The web servers. */
  readonly servers: readonly EntriesServer[];
  readonly notes: readonly Note[];
}

export interface EntriesServer {
  /** The web server. */
  readonly server: ServerEntries['server'];
  /** Whether its file of Bulkhead exists. */
  readonly enabled: boolean;
  /** Whether its files are as the policy and the sites require. */
  readonly upToDate: boolean;
  /** The server's sites. */
  readonly sites: readonly EntriesSite[];
}

export interface EntriesSite {
  /** The host names of the site. */
  readonly names: readonly string[];
  /** The place of the vhost. */
  readonly file: string;
  readonly line: number;
  /** The tenant that owns the site, and what shows that; null if nobody does. */
  readonly owner: OwnerAnswer | null;
  /** The tenant's limit on concurrent requests; null if there is none. */
  readonly limit: number | null;
  /** All limits, innermost first. */
  readonly limits: readonly Bound[];
  /** The state, `not enabled` or `out of date` if files are not written yet. */
  readonly state: string;
  /** The reason why it is not enforced, or only in part. */
  readonly reason?: string;
  /** Whether refused visitors see Bulkhead's page. */
  readonly page: boolean;
}

/** The changes of each web server. */
export interface WebEntriesEnableJson {
  /** The web servers. */
  readonly servers: readonly EntriesChange[];
}

/** The changes of each web server. */
export type WebEntriesDisableJson = WebEntriesEnableJson;

/** The changes of each web server. */
export type WebEntriesSyncJson = WebEntriesEnableJson;

export interface EntriesChange {
  /** The web server. */
  readonly server: ServerEntries['server'];
  /** The result; `not running`: the files are written, and apply when it starts. */
  readonly outcome: ReloadResult | 'dry run';
  /** The files that changed, or would change. */
  readonly changes: readonly EntriesFileChange[];
  /** The sites at which limits are enforced afterwards. */
  readonly enforced: ServerEntries['enforced'];
  readonly notes: readonly Note[];
}

export interface EntriesFileChange {
  readonly path: string;
  /** The text before; absent if there was no file. */
  readonly before: string | undefined;
  /** The text afterwards; absent if there is no file. */
  readonly after: string | undefined;
}
