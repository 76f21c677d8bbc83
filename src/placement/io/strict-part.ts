/**
 * The agent's part for strict placement. It logs refusals as they happen, and loads the rule when the policy has other
 * tenants. If the rule is not in force as the policy demands, it loads it again, and alerts the administrator.
 */
import type { Log } from '../../agent/log.ts';
import type { AgentPart, Alarm } from '../../agent/part.ts';
import { StateCheck } from '../../host/state-check.ts';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import { restoreElsewhere } from '../../host/restore-elsewhere.ts';
import type { Policy } from '../../policy/policy.ts';
import { strictEventText } from '../core/event-text.ts';
import { alarmOfState, alarmOfTenants, refusedAlarm } from '../core/strict-alarms.ts';
import { policyNotEnforced } from './rule-of-policy.ts';
import { strictPrograms, strictState, takeStrictEvents } from './strict.ts';

/** The maximum number of lines per tick: a program that tries again and again is not worth a line each time. */
const linesMax = 20;
/** The pause after an attempt that may have changed nothing, as on a kernel without BPF LSM. */
const againMs = 600_000;
const restore = restoreElsewhere({
  unit: 'bulkhead-placement.service',
  command: ['placement', 'restore'],
  action: 'bring strict placement in line with the policy',
});

function alarmOf(policy: Policy, paths: Paths): Alarm | undefined {
  const now = strictState(paths);
  const less = alarmOfState(policy.strict, now);
  if (less !== undefined || now === undefined || policy.strict === undefined) return less;
  const missing = policyNotEnforced(policy, paths);
  return missing.ok ? alarmOfTenants(missing.value) : undefined;
}

export function strictPart(paths: Paths, log: Log): AgentPart {
  let reported: string | undefined;
  const report = (error: Problem | undefined) => {
    const problem = error && formatProblem(error);
    if (problem !== undefined && problem !== reported) log.error(problem);
    reported = problem;
  };
  let policy: Policy | undefined;
  let restoring = false;
  let triedAt = -Infinity;
  const alarms: Alarm[] = [];
  const state = new StateCheck(() =>
    restoring || policy === undefined ? undefined : alarmOf(policy, paths),
  );
  const bringInLine = (file: string) => {
    restoring = true;
    triedAt = performance.now();
    void restore(paths, file).then((done) => {
      restoring = false;
      report(done.ok ? undefined : done.error);
    });
  };
  return {
    adopt(adopted: Policy) {
      policy = adopted;
      const { strict, file } = adopted;
      if (strict === undefined && strictState(paths) === undefined) return;
      bringInLine(file);
    },
    takeAlarms: () => alarms.splice(0),
    protection() {
      const name = 'strict-placement';
      const now = strictState(paths);
      if (now === undefined)
        return { name, state: strictPrograms(paths).areInForce() ? 'unknown' : 'off' };
      return { name, state: now.placement ?? 'off', refused: now.outside };
    },
    afterTick() {
      const lasting = state.take();
      if (lasting.length > 0 && policy !== undefined && performance.now() - triedAt > againMs)
        bringInLine(policy.file);
      alarms.push(...lasting);
      const taken = takeStrictEvents(paths);
      const events = taken.ok ? taken.value : [];
      for (const each of events.slice(0, linesMax)) log.warn(strictEventText(each));
      if (events.length > linesMax) log.warn(`${events.length - linesMax} more of these`);
      alarms.push(...refusedAlarm(events));
      if (!taken.ok) report(taken.error);
    },
  };
}
