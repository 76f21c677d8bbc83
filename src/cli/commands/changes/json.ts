/** The values that `bulkhead policy log|show|diff|undo` print with `--json`. */
import type { ValueChange } from '../../../policy/changes/describe.ts';
import type { DiffHunk } from '../../../policy/changes/line-diff.ts';

interface ChangedValuesJson {
  /** The changed values; at most 100. Absent if a text is not XML, or is unknown. */
  readonly values?: readonly ValueChange[];
  /** The number of all changed values. */
  readonly valueCount?: number;
}

/** A recorded change of the policy. */
export interface PolicyChangeJson extends ChangedValuesJson {
  /** The change's number. */
  readonly number: number;
  /** The time of the change, in milliseconds since 1970. */
  readonly at: number;
  /** The policy file. */
  readonly file: string;
  /** The command that made it; `by hand`: the file was edited, and the agent found that. */
  readonly way: string;
  /** The uid of whoever ran the command; absent if the file was edited by hand. */
  readonly uid?: number;
  /** The account's name. */
  readonly user?: string;
  /** A claim of the command's environment: `SUDO_USER=carol`. */
  readonly remark?: string;
  /**
   * `pending`: not applied yet. `unknown`: perhaps never written: the command was killed. `failed`: applied in part.
   * `refused`: the policy has errors, and the previous one stays in force. `not written`: the file could not be written.
   */
  readonly outcome: 'pending' | 'unknown' | 'in force' | 'failed' | 'refused' | 'not written';
  /** The reasons of a failure; at most five. */
  readonly problems: readonly string[];
  /** The digest of the text after the change. */
  readonly sha256: string;
}

/** The changes of the policy, latest first. */
export interface PolicyLogJson {
  /** The changes. */
  readonly changes: readonly PolicyChangeJson[];
}

/** The policy as a change left it. */
export interface PolicyShowJson {
  /** The change's number. */
  readonly number: number;
  /** The time of the change, in milliseconds since 1970. */
  readonly at: number;
  /** The policy file. */
  readonly file: string;
  /** The text. */
  readonly text: string;
}

/** The difference of two texts of the policy. */
export interface PolicyDiffJson extends ChangedValuesJson {
  /** The differing lines with two lines around them. */
  readonly lines: readonly DiffHunk[];
}

/** The values that an undo changes, or has changed. */
export interface PolicyUndoJson extends ChangedValuesJson {
  /** The number of the change that is undone. */
  readonly number: number;
  /** The policy file. */
  readonly file: string;
  /** Whether the policy was written. */
  readonly written: boolean;
}
