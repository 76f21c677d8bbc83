/**
 * The reason why an action failed. Failures stay data until somebody reads them: code compares, collects and sends
 * them, and only `formatProblem` makes a sentence of them.
 *
 *     { action: 'set memory.max of tenant alice to', object: '64MiB', reason: '180MiB are in use', hint: 'pass --force' }
 *     Cannot set memory.max of tenant alice to "64MiB": 180MiB are in use; pass --force
 */
import type { constants } from 'node:os';
import { printable } from './printable.ts';
import { fail, type Result } from './result.ts';

/** The names of kernel errors: the ones that Node knows, and more that Linux has. Source: errno(3). */
export type Errno =
  | keyof typeof constants.errno
  | 'EUCLEAN'
  | 'ENOMEDIUM'
  | 'EREMOTEIO'
  | 'ENOTSUPP'
  /** An error number that has no name here. */
  | 'UNKNOWN';

export interface Problem {
  /** The action, worded to follow "Cannot": `read`, `set memory.max of tenant alice to`. */
  readonly action: string;
  /** The object of the action, as the caller named it; quoted and made printable when it is printed. */
  readonly object?: string;
  /** Why it failed: half a sentence without a full stop. */
  readonly reason: string;
  /** The remedy. */
  readonly hint?: string;
  /** The kernel's error, if the kernel refused it. */
  readonly errno?: Errno;
}

/** A problem without the action that was tried and its object. */
export type Cause = Omit<Problem, 'action' | 'object'>;

const triedOf = ({ action, object }: Problem) =>
  object === undefined ? action : `${action} "${printable(object)}"`;

/** A problem, or a cause that is a sentence by itself, such as the message of a diagnostic. */
export type ProblemOrCause = Problem | Cause;

export function formatProblem(problem: Problem): string {
  const { reason, hint } = problem;
  return `Cannot ${triedOf(problem)}: ${reason}${hint === undefined ? '' : `; ${hint}`}`;
}

/** Returns a lower-level failure as the cause of a higher-level one. */
export function causedBy(problem: Problem): Cause {
  const { action: _action, object: _object, ...cause } = problem;
  return { ...cause, reason: `cannot ${triedOf(problem)}: ${cause.reason}` };
}

export const failed = (problem: Problem): Result<never, Problem> => fail(problem);

/** Formats only reason and hint, for a message that names the object itself. */
export const formatCause = ({ reason, hint }: Cause): string =>
  hint === undefined ? reason : `${reason}; ${hint}`;

export const formatProblemOrCause = (failure: ProblemOrCause): string =>
  'action' in failure ? formatProblem(failure) : formatCause(failure);
