/**
 * Why something that was tried did not work. Failures are data until somebody reads them: they are compared,
 * collected and sent as they are, and `printProblem` alone makes a sentence of them.
 *
 *     { action: 'set memory.max of tenant alice to', object: '64MiB', reason: '180MiB are in use', hint: 'pass --force' }
 *     Cannot set memory.max of tenant alice to "64MiB": 180MiB are in use; pass --force
 */
import type { constants } from 'node:os';
import { printable } from './printable.ts';
import { fail, type Result } from './result.ts';

/** The names of the kernel's errors. Source: errno(3). */
export type Errno = keyof typeof constants.errno;

export interface Problem {
  /** What was tried, as it follows "Cannot": `read`, `set memory.max of tenant alice to`. */
  readonly action: string;
  /** On what, in the words of whoever named it; quoted and made printable when it is printed. */
  readonly object?: string;
  /** Why it failed: half a sentence without a full stop. */
  readonly reason: string;
  /** What to do about it. */
  readonly hint?: string;
  /** Where the kernel refused it. */
  readonly errno?: Errno;
}

export function printProblem({ action, object, reason, hint }: Problem): string {
  const what = object === undefined ? action : `${action} "${printable(object)}"`;
  return `Cannot ${what}: ${reason}${hint === undefined ? '' : `; ${hint}`}`;
}

export const failed = (problem: Problem): Result<never, Problem> => fail(problem);
