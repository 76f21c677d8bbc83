/** The value or the error of a result that a test knows to be one or the other. */
import assert from 'node:assert/strict';
import { formatProblem, type Problem } from '../packages/base/problem.ts';
import type { Result } from '../packages/base/result.ts';

export function valueOf<T>(result: Result<T, Problem>): T {
  if (!result.ok) assert.fail(formatProblem(result.error));
  return result.value;
}

/** Returns the sentence of the problem, which has one line. */
export function errorOf<T>(result: Result<T, Problem>): string {
  if (result.ok) assert.fail('it did not fail');
  const error = formatProblem(result.error);
  assert.ok(!error.includes('\n'), error);
  return error;
}
