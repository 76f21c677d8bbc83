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

/** The names of the kernel's errors: those that Node knows, and further ones of Linux. Source: errno(3). */
export type Errno =
  | keyof typeof constants.errno
  | 'EUCLEAN'
  | 'ENOMEDIUM'
  | 'EREMOTEIO'
  | 'ENOTSUPP'
  /** A number that has no name here. */
  | 'UNKNOWN';

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

/** What is wrong with an object, apart from what was tried on it. */
export type Cause = Omit<Problem, 'action' | 'object'>;

const triedOf = ({ action, object }: Problem) =>
  object === undefined ? action : `${action} "${printable(object)}"`;

export function printProblem(problem: Problem): string {
  const { reason, hint } = problem;
  return `Cannot ${triedOf(problem)}: ${reason}${hint === undefined ? '' : `; ${hint}`}`;
}

/** A failure further down, as the cause of one further up. */
export function causedBy(problem: Problem): Cause {
  const { action: _action, object: _object, ...cause } = problem;
  return { ...cause, reason: `cannot ${triedOf(problem)}: ${cause.reason}` };
}

export const failed = (problem: Problem): Result<never, Problem> => fail(problem);

/** Reason and hint alone, where the message around them names the object. */
export const printCause = ({ reason, hint }: Cause): string =>
  hint === undefined ? reason : `${reason}; ${hint}`;
