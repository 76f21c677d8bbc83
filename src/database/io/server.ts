/**
 * A database server as the capability uses it. Each kind is one file with the interface `ServerKind`, and `kinds.ts` has
 * the table of kinds.
 */
import type { Cause, Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { Ending } from '../core/backstops.ts';
import type { ServerAccount, WantedNumber } from '../core/connection-numbers.ts';
import type { Look } from '../core/look.ts';
import type { EnableStep } from '../core/rights/enable.ts';
import type { DatabaseConnection, DatabaseProblem } from './client/connect.ts';

/** How much a server shows. Each entry of `missing` says what is not seen, and what to do. */
export interface Sight {
  readonly version: string;
  readonly pid: number | undefined;
  readonly missing: readonly string[];
}

export interface DatabaseServer {
  readonly sight: Sight;
  /** The connection for statements that change something: kill, cap. */
  readonly connection: DatabaseConnection;
  /**
   * `only`: the accounts whose counters are needed. `transactions`: whether it must be known which connections wait in a
   * transaction, as it is by default. A kind of server may ignore both.
   */
  readonly look: (
    only?: readonly string[],
    transactions?: boolean,
  ) => Promise<Result<Look, DatabaseProblem>>;
}

/** The settings that `doctor` asks a server for. */
export interface ServerSettings {
  /** Whether numbers of connections cannot be set. */
  readonly isReadOnly: boolean;
  /** Whether it runs statements of accounts that no connection asks for. */
  readonly runsEvents: boolean;
}

/** The account that asks: the worker has the rights that `db enable` gives, and root needs none of them. */
export type Asker = 'worker' | 'root';

export interface ServerKind {
  /** Its name, for people. */
  readonly name: string;
  /** Asks what the server shows: versions differ, and so do settings. */
  readonly open: (
    connection: DatabaseConnection,
  ) => Promise<Result<DatabaseServer, DatabaseProblem>>;
  readonly settings: (connection: DatabaseConnection) => Promise<Result<ServerSettings, Problem>>;
  /** Returns its accounts and roles, or those of some names, and `rowsMax` of them if it has more. */
  readonly accounts: (
    connection: DatabaseConnection,
    by: Asker,
    names?: readonly string[],
  ) => Promise<Result<readonly ServerAccount[], Problem>>;
  /** Sets an account's number of connections, with the rights of the worker. */
  readonly setNumber: (
    connection: DatabaseConnection,
    wanted: WantedNumber,
  ) => Promise<Result<unknown, Problem>>;
  /** Ends a session if it still does what it is ended for. Returns whether it did. */
  readonly endSession: (
    connection: DatabaseConnection,
    ending: Ending,
  ) => Promise<Result<boolean, Problem>>;
  readonly rights: ServerRights;
}

/** The rights of Bulkhead in a server, which root gives and takes back. */
export interface ServerRights {
  readonly plan: (
    connection: DatabaseConnection,
    options: RightsOptions,
  ) => Promise<Result<RightsPlan, Cause>>;
  readonly planUndo: (
    connection: DatabaseConnection,
    options: UndoOptions,
  ) => Promise<Result<UndoPlan, Problem>>;
  /** Returns an account's number of connections; undefined if there is no such account. */
  readonly numberOf: (
    connection: DatabaseConnection,
    account: AccountName,
  ) => Promise<Result<number | undefined, Problem>>;
  /** Sets the number of an account, whatever the account has become meanwhile. */
  readonly restoreNumber: (
    connection: DatabaseConnection,
    wanted: WantedNumber,
  ) => Promise<Result<unknown, Problem>>;
}

export interface RightsOptions {
  /** Whether an earlier run of ours may have made the accounts: there is a record of it. */
  readonly isOurs: boolean;
  /** The worker's password, for a server that cannot know it by its process. */
  readonly password?: string;
}

export interface RightsPlan {
  readonly steps: readonly EnableStep[];
  /** Notes for the administrator, which prevent nothing. */
  readonly remarks: readonly string[];
  /** Whether the server counts what accounts use, and Bulkhead need not turn it on. */
  readonly isCounting: boolean;
}

export interface UndoOptions {
  /** Whether the server counted what accounts use before. */
  readonly wasCounting: boolean;
}

/** The worker loses its rights first, so that nothing sets a number while numbers are set back. */
export interface UndoPlan {
  readonly before: readonly EnableStep[];
  readonly after: readonly EnableStep[];
}

export interface AccountName {
  readonly account: string;
  readonly host: string;
}
