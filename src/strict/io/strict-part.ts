/**
 * What the agent does for strict placement: what was refused goes to its log as it happens, and a policy with other tenants is
 * loaded.
 */
import type { Log } from '../../agent/log.ts';
import type { AgentPart } from '../../agent/part.ts';
import { printProblem, type Problem } from '../../base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import { restoreElsewhere } from '../../host/restore-elsewhere.ts';
import type { Policy } from '../../policy/policy.ts';
import { strictEventText } from '../core/strict-event.ts';
import { strictState, takeStrictEvents } from './strict.ts';

/** A program that tries again and again is not worth a line each time. */
const linesMax = 20;
const restore = restoreElsewhere({
  unit: 'bulkhead-placement.service',
  command: ['placement', 'restore'],
  action: 'bring strict placement in line with the policy',
});

export function strictPart(paths: Paths, log: Log): AgentPart {
  let reported: string | undefined;
  const report = (error: Problem | undefined) => {
    const problem = error && printProblem(error);
    if (problem !== undefined && problem !== reported) log.error(problem);
    reported = problem;
  };
  return {
    adopt({ strict, file }: Policy) {
      if (strict === undefined && strictState(paths) === undefined) return;
      void restore(paths, file).then((done) => report(done.ok ? undefined : done.error));
    },
    afterTick() {
      const taken = takeStrictEvents(paths);
      const events = taken.ok ? taken.value : [];
      for (const each of events.slice(0, linesMax)) log.warn(strictEventText(each));
      if (events.length > linesMax) log.warn(`${events.length - linesMax} more of these`);
      if (!taken.ok) report(taken.error);
    },
  };
}
