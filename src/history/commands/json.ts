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
