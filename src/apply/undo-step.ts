/** A step of `release --all`: undoes one thing that a capability has in force. */
import type { Problem } from '../base/problem.ts';

/** A step that finishes if it is repeated after an interruption. */
export interface UndoStep {
  /** The name of the thing: `the symlink guard`. */
  readonly what: string;
  /** The capability's own command, without the program. */
  readonly command?: readonly string[];
  /** Before those of other capabilities. */
  readonly isFirst?: true;
  /** Where it has no command for that. */
  readonly run?: () => Promise<readonly Problem[]>;
}
