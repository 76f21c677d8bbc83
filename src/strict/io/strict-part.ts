/** What the agent does for strict placement: what was refused goes to its log as it happens. */
import type { Log } from '../../agent/log.ts';
import type { AgentPart } from '../../agent/part.ts';
import { printProblem } from '../../base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import { strictEventText } from '../core/strict-event.ts';
import { takeStrictEvents } from './strict.ts';

/** A program that tries again and again is not worth a line each time. */
const linesMax = 20;

export function strictPart(paths: Paths, log: Log): AgentPart {
  let reported: string | undefined;
  return {
    afterTick() {
      const taken = takeStrictEvents(paths);
      const events = taken.ok ? taken.value : [];
      for (const each of events.slice(0, linesMax)) log.warn(strictEventText(each));
      if (events.length > linesMax) log.warn(`${events.length - linesMax} more of these`);
      const problem = taken.ok ? undefined : printProblem(taken.error);
      if (problem !== undefined && problem !== reported) log.error(problem);
      reported = problem;
    },
  };
}
