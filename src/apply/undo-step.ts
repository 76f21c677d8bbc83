/** A step of `release --all`: undoes one thing that a capability has in force. */
import type { Problem } from '../../packages/base/problem.ts';

/** A step that finishes if it is repeated after an interruption. */
export interface UndoStep {
  /** The name of the thing: `the symlink guard`. */
  readonly what: string;
  /** The capability's own command, without the program. */
  readonly command?: readonly string[];
  /** Whether it comes before the steps of other capabilities. */
  readonly isFirst?: true;
  /** Undoes it where the capability has no command for that. */
  readonly run?: () => Promise<readonly Problem[]>;
}
