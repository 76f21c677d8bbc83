/** Answers of the process that reads and changes the policy. */
import {
  formatCause,
  formatProblem,
  type Problem,
  type ProblemOrCause,
} from '../../../packages/base/problem.ts';
import { fail, type Result } from '../../../packages/base/result.ts';
import { errorBody } from '../api/error-body.ts';
import type { PolicyJobAnswer } from './policy-job.ts';

export type Answered<T> = Result<T, PolicyJobAnswer>;

export const answer = (value: unknown, status = 200): PolicyJobAnswer => ({
  status,
  body: JSON.stringify(value),
});

/** Returns a refusal. `more` are further fields. */
export const refusal = (status: number, problem: Problem, more: object = {}): PolicyJobAnswer =>
  answer({ ...errorBody(problem), ...more }, status);

/** Returns a refusal that holds for some seconds only. */
export const refusedFor = (
  seconds: number,
  status: number,
  problem: Omit<Problem, 'hint'>,
): PolicyJobAnswer => ({
  ...refusal(status, { ...problem, hint: `retry in ${seconds} s` }),
  retryAfterSeconds: seconds,
});

export const refused = (
  status: number,
  problem: Problem,
  more: object = {},
): Result<never, PolicyJobAnswer> => fail(refusal(status, problem, more));

/** Returns one problem for all errors of an edit. */
export function problemOf(errors: readonly ProblemOrCause[]): Problem {
  const [only] = errors;
  if (errors.length === 1 && only !== undefined && 'action' in only) return only;
  const reason = errors
    .map((each) => ('action' in each ? formatProblem(each) : formatCause(each)))
    .join('; ');
  return { action: 'change the policy', reason };
}
