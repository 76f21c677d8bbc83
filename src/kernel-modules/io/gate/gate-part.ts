/** What the agent does for the gate: what was refused goes to its log as it happens. */
import type { Log } from '../../../agent/log.ts';
import type { AgentPart } from '../../../agent/part.ts';
import { printProblem } from '../../../base/problem.ts';
import type { Paths } from '../../../host/paths.ts';
import { refusalText } from '../../core/gate/refusal-text.ts';
import { takeRefusals } from './refusals.ts';

export function gatePart(paths: Paths, log: Log): AgentPart {
  let reported: string | undefined;
  return {
    afterTick() {
      const taken = takeRefusals(paths);
      for (const each of taken.ok ? taken.value : []) log.warn(refusalText(each));
      const problem = taken.ok ? undefined : printProblem(taken.error);
      if (problem !== undefined && problem !== reported) log.error(problem);
      reported = problem;
    },
  };
}
