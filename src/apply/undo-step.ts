/** A step of `release --all`: undoes one thing that a capability has in force. */
import type { Problem } from '../base/problem.ts';
import type { Result } from '../base/result.ts';

/** A step that finishes if it is repeated after an interruption. */
export interface UndoStep {
  /** The name of the thing: `the symlink guard`. */
  readonly what: string;
  /** The capability's own command, without the program. */
  readonly command?: readonly string[];
  /** The action, if the capability has no command for it. */
  readonly run?: () => Result<unknown, Problem>;
}
