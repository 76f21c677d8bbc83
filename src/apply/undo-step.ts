/** How `release --all` takes back one thing that a capability has in force. */
import type { Problem } from '../base/problem.ts';
import type { Result } from '../base/result.ts';

/** Done again after it was interrupted, it finishes. */
export interface UndoStep {
  /** `the symlink guard`. */
  readonly what: string;
  /** The capability's own command, without the program. */
  readonly command?: readonly string[];
  /** Where it has no command for that. */
  readonly run?: () => Result<unknown, Problem>;
}
