/** The body of an answer other than 200. */
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { ErrorResponse } from './api.ts';

/** Returns the fields that `Problem` promises, and nothing else that `problem` has. */
export function errorBody(problem: Problem): ErrorResponse {
  const { action, object, reason, hint, errno } = problem;
  return {
    error: formatProblem(problem),
    action,
    ...(object === undefined ? {} : { object }),
    reason,
    ...(hint === undefined ? {} : { hint }),
    ...(errno === undefined ? {} : { errno }),
  };
}

/** Returns the problem in such a body; undefined if there is none. */
export function problemIn(body: unknown): Problem | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { action, reason } = body as Partial<ErrorResponse>;
  if (typeof action !== 'string' || typeof reason !== 'string') return undefined;
  const { error: _error, ...problem } = body as ErrorResponse;
  return problem;
}
