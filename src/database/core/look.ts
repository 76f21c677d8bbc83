/**
 * The accounts and connections of a database server at one moment. These are raw counters: `attribution.ts` turns two
 * looks into the CPU time that each account used.
 */

/** Times in microseconds of CPU. A field that could not be read is undefined, never 0. */
export interface Look {
  /** The monotonic clock at the look. */
  readonly atMicroseconds: number;
  /** Counters since the server's start. */
  readonly accounts: readonly AccountUse[];
  /** The connections that exist now. */
  readonly sessions: readonly Session[];
  /** All threads of the server's process. */
  readonly serverCpuMicroseconds: number | undefined;
  /** The server's background threads; undefined also in those looks that do not read them. */
  readonly backgroundCpuMicroseconds: number | undefined;
  /** Whether the server has more accounts than are in the list: those that have used most are. */
  readonly hasMoreAccounts?: boolean;
  /** Whether it has more connections than are in the list, so that nobody's number is known. */
  readonly hasMoreSessions?: boolean;
}

export interface AccountUse {
  readonly account: string;
  readonly cpuMicroseconds: number;
  /** Absent if the server does not count them. */
  readonly connections?: number;
  readonly statements?: number;
}

export interface Session {
  /** The connection's id. */
  readonly id: number;
  /** The user at first sight of this id: inside routines, the server shows the DEFINER. */
  readonly account: string;
  /** Whether it came over the unix socket. */
  readonly isLocal: boolean;
  readonly isRunning: boolean;
  readonly statementMilliseconds: number | undefined;
  /** How long it has been idle in a transaction. */
  readonly transactionMilliseconds: number | undefined;
  readonly threadCpuMicroseconds: number | undefined;
  /** The CPU time of the statement that runs, which the account's counters do not have yet; absent if unknown. */
  readonly runningCpuMicroseconds?: number;
  /** Whether it is an event of the server's scheduler: no counter has what it uses. */
  readonly isEvent?: boolean;
  /** The statement as the tenant wrote it, cut to 200 characters. */
  readonly statement: string;
}
