/** The access logs of one site, as its web server's configuration has them. */
import type { FieldOrReason } from './log-format.ts';

export interface AccessLog {
  /** The path as it is written. */
  readonly path: string;
  /** The place of the number of bytes in its lines, or why it is not counted by. */
  readonly field: FieldOrReason;
}

/** The logs that have each request of a level. A site without logs of its own has one level with those around it. */
export interface SiteLogs {
  readonly levels: readonly (readonly AccessLog[])[];
}
