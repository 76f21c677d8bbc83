/** The values that `bulkhead jail` prints with `--json`. Schemas are generated from these types. */
import type { MailCount } from '../../agent/api/usage-api.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import type { EntryPathName } from '../../host/entry-paths/entry-paths.ts';
import type { Difference } from '../core/compare.ts';
import type { JailPart } from '../core/layout.ts';
import type { DatabaseReport } from '../io/databases/socket.ts';
import type { JailState, JailStateFile } from '../core/state-file.ts';
import type { RefusalKind } from '../core/refusal.ts';
import type { Occupants } from '../io/occupants.ts';
import type { Isolation } from '../io/programs.ts';

/** Every jail, what all of them cost, and how well they are kept apart. */
export interface JailStatusJson {
  /** The jails of tenants and sites. */
  readonly jails: readonly JailRow[];
  /** The resources that all jails use together; null if that could not be measured. */
  readonly cost: JailCost | null;
  /** Whether sessions of each entry path enter the jail; empty if no tenant has one. */
  readonly entryPaths: readonly JailEntryPath[];
  /** How well jails are isolated. */
  readonly apart: JailsApart;
  /** Sockets of database servers that were found on this host. */
  readonly databases: readonly DatabaseReport[];
}

/** A tenant's or a site's jail, and the processes of that tenant or site by where they are. */
export interface JailRow
  extends
    Occupants,
    Pick<JailStateFile, 'profile' | 'state' | 'reason' | 'filter' | 'landlock' | 'namespace'> {
  readonly uid: number;
  /** The site; absent if the jail is the tenant's. */
  readonly site?: string;
  /** The account; absent if the uid has none. */
  readonly user: string | undefined;
  /** The number of mounts in it. */
  readonly mounts: number;
  /** The mail that a tenant has sent, including its sites' mail; absent for a site. */
  readonly mail?: MailCount;
}

export interface JailCost {
  /** Memory of the files that Bulkhead made for jails, in bytes. */
  readonly memoryBytes: number;
  /** The number of mounts in the host's own table that are Bulkhead's. */
  readonly hostMounts: number;
  /** The number of mount namespaces: one for each jail. */
  readonly namespaces: number;
  /** The number of mount namespaces that the kernel allows; absent if there is no limit. */
  readonly namespacesMax: number | undefined;
}

export interface JailEntryPath {
  /** The entry path: `ssh`, `cron`, … */
  readonly entryPath: EntryPathName;
  /** Whether sessions of all its services are opened in the jail. */
  readonly entered?: boolean;
  /** Whether tenants with a jail are refused there, since sessions are opened outside it. */
  readonly refused?: boolean;
  /** Set if sessions may be outside: it is unknown which accounts have a jail. */
  readonly unknown?: true;
  /** The reason, if they are not entered. */
  readonly reason?: string;
}

/** How well the kernel keeps jails apart from the host. */
export interface JailsApart {
  /** How well they are isolated. */
  readonly level: Isolation['level'];
  /** The reason, if it is not `full`; null otherwise. */
  readonly reason: string | null;
  /** Refusals since the programs were loaded, by what was tried; null if none are loaded. */
  readonly refused: Readonly<Record<RefusalKind, number>> | null;
}

/** One jail: where it comes from, who is in it, and what it contains. */
export interface JailShowJson extends Partial<Occupants> {
  /** The account; absent if the uid has none. */
  readonly user: string | undefined;
  readonly uid: number;
  /** The site; absent if the jail is the tenant's. */
  readonly site: string | undefined;
  /** The jail's profile. */
  readonly profile: JailStateFile['profile'];
  /** The directory of a site, which replaces the tenant's home. */
  readonly home: string | undefined;
  /** The policy, and the line in it that sets the jail. */
  readonly file: string;
  readonly line: number;
  /** `waiting`: it is not built yet. */
  readonly state: JailState;
  /** The reason for a failure. */
  readonly reason: string | undefined;
  /** Whether processes in it have the seccomp filter; absent if there is no jail yet. */
  readonly filter: boolean | undefined;
  /** The inode of its mount namespace. */
  readonly namespace: number | undefined;
  /** The directories in the jail. */
  readonly parts: readonly JailPart[];
}

/** The names in directories of the host and of the jail. */
export interface JailDiffJson {
  readonly uid: number;
  /** The site; absent if the jail is the tenant's. */
  readonly site: string | undefined;
  /** The directories that were compared. */
  readonly directories: readonly Difference[];
}

/** The jails that were built and removed, or with `--dry-run` what would be done. */
export type JailSyncJson = JailsRefreshed | JailsPlanned;

export interface JailsRefreshed {
  /** `false`: the changes were made. */
  readonly dryRun: false;
  /** The uids of tenants whose jails were built. */
  readonly built: readonly number[];
  /** The uids of tenants whose jails were removed. */
  readonly dropped: readonly number[];
  /** The same for sites. */
  readonly sites: {
    /** The sites whose jails were built. */
    readonly built: readonly SiteJail[];
    /** The sites whose jails were removed. */
    readonly dropped: readonly SiteJail[];
  };
  /** The number of jails that stayed as they were. */
  readonly kept: number;
  /** Failures; empty if there are none. */
  readonly problems: readonly Problem[];
  /** Sockets of database servers that could not be mounted; jails are in force all the same. */
  readonly sockets: readonly Problem[];
}

export interface SiteJail {
  readonly uid: number;
  /** The name of the site. */
  readonly site?: string;
}

export interface JailsPlanned {
  readonly dryRun: true;
  /** A line for each change. */
  readonly planned: readonly string[];
}
