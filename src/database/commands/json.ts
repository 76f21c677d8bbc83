/** The values that `db` commands print with `--json`. Their schemas are generated from these types. */

import type { AppState } from '../../policy/apps/app-state.ts';

/** `bulkhead db enable` */
export interface DbEnableJson {
  /** The system user of the worker. */
  readonly user: {
    /** The system user of the process that asks servers. */
    readonly name: string;
    /** Whether it was missing. */
    readonly missing: boolean;
  };
  /** The file for the next start of servers. */
  readonly optionFile: {
    /** The file that has servers count from their next start on; null if no directory for it was found. */
    readonly path: string | null;
    /** Whether it was missing. */
    readonly missing: boolean;
  };
  /** The servers. */
  readonly servers: readonly DbServerChangeJson[];
  /** Whether nothing was changed. */
  readonly dryRun: boolean;
}

/** The change of one server. */
export interface DbServerChangeJson {
  /** The server's socket. */
  readonly socket: string;
  /** The changes in their order, for people; none if there was nothing to do. */
  readonly steps: readonly string[];
  /** Notes on the server. */
  readonly remarks: readonly string[];
  /** Why it failed; null if it did not. */
  readonly problem: string | null;
}

/** `bulkhead db disable` */
export interface DbDisableJson {
  /** The servers. */
  readonly servers: readonly DbServerChangeJson[];
  /** The option file that was removed; null if there was none. */
  readonly optionFile: string | null;
  /** Whether nothing was changed. */
  readonly dryRun: boolean;
}

/** `bulkhead db explain` */
export interface DbExplainJson {
  /** The tenant, as it was named. */
  readonly name: string;
  /** The begin of the period, in milliseconds since 1970. */
  readonly from: number;
  /** The end of the period. */
  readonly to: number;
  /** The incidents in the period, of which at most 20 are summed up. */
  readonly incidents: number;
  /** The time during which it owed CPU time, in seconds. */
  readonly seconds: number;
  /** The CPU time that its statements used meanwhile, in seconds. */
  readonly usedSeconds: number;
  /** The limit, as a part of a core; null if there was no incident. */
  readonly limit: number | null;
  /** The time for which its processes were paused, in seconds. */
  readonly pausedSeconds: number;
  /** The statements that took most of it, the longest first. */
  readonly statements: readonly DbExplainedStatementJson[];
}

/** A statement, with all those that differ only in their values. */
export interface DbExplainedStatementJson {
  /** The statement, with a question mark for each value. */
  readonly statement: string;
  /** How often it was seen. */
  readonly seen: number;
  /** The CPU time that it took, in seconds. */
  readonly seconds: number;
}

/** `bulkhead db kill` */
export interface DbKillJson {
  /** The tenant. */
  readonly name: string;
  /** Statements or connections that were ended, or would be. */
  readonly ended: readonly DbKilledJson[];
  /** Sessions of the tenant that were over by themselves. */
  readonly over: number;
  /** The servers that failed, and why. */
  readonly problems: readonly string[];
  /** Whether nothing was ended. */
  readonly dryRun: boolean;
}

export interface DbKilledJson {
  /** The server's socket. */
  readonly socket: string;
  /** The connection's id. */
  readonly id: number;
  /** The account of the connection. */
  readonly account: string;
  /** Whether only the statement ends, or the connection. */
  readonly what: 'statement' | 'connection';
  /** The statement, with its values; empty if there is none. */
  readonly statement: string;
}

/** `bulkhead db status` */
export interface DbStatusJson {
  /** The servers. */
  readonly servers: readonly DbStatusServerJson[];
  /** The number of tenants with a limit on database servers. */
  readonly limitedTenants: number;
  /** The servers that tenants have of their own, by uid. */
  readonly own: readonly DbOwnServerJson[];
  /** Why the states of these are not known; null if they are. */
  readonly ownProblem: string | null;
}

/** A database server of a tenant's own. */
export interface DbOwnServerJson {
  /** The tenant. */
  readonly tenant: string;
  readonly uid: number;
  /** The path at which only the tenant's processes can connect. */
  readonly socket: string;
  /** Its state, as of an application. */
  readonly state: AppState;
  /** The reason for the state; null if there is no more to say. */
  readonly reason: string | null;
  /** The time of its last start or stop, in milliseconds since 1970; null if it is not known. */
  readonly since: number | null;
  /** The memory that its processes take, in bytes; null if it does not run, or is not known. */
  readonly memoryBytes: number | null;
}

export interface DbStatusServerJson {
  /** The server's socket. */
  readonly socket: string;
  /** Whether `db enable` has given Bulkhead its rights there. */
  readonly isEnabled: boolean;
  /** The version as the server states it; null if it does not answer. */
  readonly version: string | null;
  /** The process; null if it is unknown. */
  readonly pid: number | null;
  /** The things that are not seen, and why. */
  readonly missing: readonly string[];
  /** How the agent sees tenants: by their sockets, or by the counters of their accounts; null if the server cannot be asked. */
  readonly seenBy: 'socket' | 'accounts' | null;
  /** Why not by their sockets; null if it is by those. */
  readonly seenByReason: string | null;
  /** Why the server cannot be asked; null if it can. */
  readonly problem: string | null;
}

/** `bulkhead db top` */
export interface DbTopJson {
  /** The servers. */
  readonly servers: readonly DbTopServerJson[];
}

export interface DbTopServerJson {
  /** The server's socket. */
  readonly socket: string;
  /** The tenants, and accounts that belong to none; the one with the most CPU time first. */
  readonly rows: readonly DbTopRowJson[];
  /** CPU time that no account caused, as a part of a core; null if it is unknown. */
  readonly serverItself: number | null;
  /** Why the server cannot be asked; null if it can. */
  readonly problem: string | null;
}

export interface DbTopRowJson {
  /** The tenant; null for an account that belongs to none. */
  readonly tenant: string | null;
  /** The account, for one that belongs to no tenant; null for the sum of a tenant. */
  readonly account: string | null;
  /** CPU time as a part of a core; null if it is unknown. */
  readonly cpuFraction: number | null;
  /** The number of connections; null if the server has more than can be counted. */
  readonly connections: number | null;
  /** The number of connections that run a statement; null likewise. */
  readonly running: number | null;
}

/** `bulkhead db accounts` */
export interface DbAccountsJson {
  /** The servers. */
  readonly servers: readonly DbAccountsServerJson[];
}

export interface DbAccountsServerJson {
  /** The server's socket. */
  readonly socket: string;
  /** The accounts, by name. */
  readonly accounts: readonly DbAccountJson[];
  /** Why the server cannot be asked; null if it can. */
  readonly problem: string | null;
}

export interface DbAccountJson {
  /** The account's name. */
  readonly account: string;
  /** The hosts from which it may connect. */
  readonly hosts: readonly string[];
  /** The tenant; null if it belongs to none. */
  readonly tenant: string | null;
  /** Why it belongs to that tenant, or to none. */
  readonly reason: string;
  /** Global privileges, also by a role; null if they are not known. Accounts that have some are never held. */
  readonly privileges: readonly string[] | null;
}
