/** Returns a function that logs a failure once while it lasts, however often it is reported. */
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';

export type Report = (result: Result<unknown, Problem>) => void;

export function reportOnce(log: (text: string) => void): Report {
  let reported: string | undefined;
  return (result) => {
    const problem = result.ok ? undefined : formatProblem(result.error);
    if (problem !== undefined && problem !== reported) log(problem);
    reported = problem;
  };
}
