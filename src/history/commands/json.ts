/** The values that `history` commands print with `--json`. Their schemas are generated from these types. */

/** `bulkhead history push` */
export interface HistoryPushJson {
  /** The number of windows of five minutes that the server has taken. */
  readonly windows: number;
  /** The number of bytes of their requests. */
  readonly bytes: number;
  /** The windows that were never pushed, since the first push. */
  readonly dropped: {
    /** Windows that became older than a day, or than the agent keeps ticks. */
    readonly old: number;
    /** Windows that the server refused. */
    readonly refused: number;
  };
}

/** `bulkhead history export` */
export interface HistoryExportJson {
  /** The file that was written. */
  readonly file: string;
  /** The fleet of this host; null if it is in none. */
  readonly fleet: string | null;
  /** The name of this host. */
  readonly host: string;
  /** The tenant. */
  readonly tenant: string;
  /** The number of hours in which this host has measured something. */
  readonly hours: number;
  /** The number of incidents on this host. */
  readonly incidents: number;
  /** The number of incidents whose evidence had no room. */
  readonly withoutEvidence: number;
  /** The hosts whose records are in the file, this one first. */
  readonly origins: readonly string[];
  /** The size of the file. */
  readonly bytes: number;
  /** The fingerprint of the key that has signed it; absent if this host is in no fleet. */
  readonly fingerprint?: string;
}

/** `bulkhead history import` */
export interface HistoryImportJson {
  /** The tenant of this host. */
  readonly tenant: string;
  /** The hosts from which records were taken; empty if all of them were imported before. */
  readonly origins: readonly string[];
  /** The number of hours that were taken. */
  readonly hours: number;
  /** The number of incidents that were taken. */
  readonly incidents: number;
}
