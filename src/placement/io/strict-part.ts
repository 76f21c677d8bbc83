/**
 * The agent's part for strict placement. It logs refusals as they happen, and loads the rule when the policy has other
 * tenants. If the rule is not in force as the policy demands, it loads it again, and alerts the administrator.
 */
import type { Log } from '../../agent/log.ts';
import { Lasting } from '../../host/reconcile/lasting.ts';
import type { AgentPart, Alarm } from '../../agent/part.ts';
import { Reconciler, type Reconciled } from '../../host/reconcile/reconciler.ts';
import { reportOnce } from '../../host/reconcile/report-once.ts';
import type { Paths } from '../../host/paths.ts';
import { restoreElsewhere } from '../../host/restore-elsewhere.ts';
import type { Policy } from '../../policy/policy.ts';
import { strictEventText } from '../core/event-text.ts';
import { alarmOfState, alarmOfTenants, placementAlarm } from '../core/strict-alarms.ts';
import { policyNotEnforced } from './rule-of-policy.ts';
import { placementGuard, strictState, takeStrictEvents } from './strict.ts';

/** The maximum number of lines per tick: a program that tries again and again is not worth a line each time. */
const linesMax = 20;
const restore = restoreElsewhere({
  unit: 'bulkhead-placement.service',
  command: ['placement', 'sync'],
  action: 'reconcile strict placement with the policy',
});

function alarmOf(policy: Policy, paths: Paths): Alarm | undefined {
  const now = strictState(paths);
  const less = alarmOfState(policy.strict, now);
  if (less !== undefined || now === undefined || policy.strict === undefined) return less;
  const missing = policyNotEnforced(policy, paths);
  return missing.ok ? alarmOfTenants(missing.value) : undefined;
}

export function strictPart(paths: Paths, log: Log): AgentPart {
  const report = reportOnce((text) => log.error(text));
  const alarms: Alarm[] = [];
  const lasting = new Lasting<Alarm>();
  let policy: Policy | undefined;
  /**
   * The number of policies that may need another rule. A check finds what is missing, but not a rule that is left over:
   * that is unloaded for each policy without one, and again after a failure.
   */
  let policies = 0;
  let loaded = 0;
  let hasFailed = false;
  const reconciled: Reconciled = {
    deviation() {
      if (policy === undefined) return undefined;
      const isNew = loaded !== policies;
      const found = isNew ? undefined : alarmOf(policy, paths);
      const alarm = lasting.see(found);
      if (alarm !== undefined) alarms.push(alarm);
      const isLeft = policy.strict === undefined && placementGuard(paths).areInForce();
      const failsStill = hasFailed && (found !== undefined || isLeft);
      const deviates = isNew || alarm !== undefined || failsStill;
      return deviates ? `policy ${policies}` : undefined;
    },
    async attempt() {
      loaded = policies;
      const done = await restore(paths, policy?.file ?? '');
      hasFailed = !done.ok;
      report(done);
    },
  };
  const reconciler = new Reconciler(reconciled, {
    about: 'strict placement',
    log: (text) => log.error(text),
  });
  return {
    adopt(adopted: Policy) {
      policy = adopted;
      if (adopted.strict === undefined && !placementGuard(paths).areInForce()) return;
      policies++;
      reconciler.soon();
    },
    takeAlarms: () => alarms.splice(0),
    protection() {
      const name = 'strict-placement';
      const now = strictState(paths);
      if (now === undefined)
        return { name, state: placementGuard(paths).areInForce() ? 'unknown' : 'off' };
      return { name, state: now.placement ?? 'off', refused: now.outside };
    },
    afterTick() {
      reconciler.tick();
      const taken = takeStrictEvents(paths);
      const events = taken.ok ? taken.value : [];
      for (const each of events.slice(0, linesMax)) log.warn(strictEventText(each));
      if (events.length > linesMax) log.warn(`${events.length - linesMax} more of these`);
      alarms.push(...placementAlarm(events));
      if (!taken.ok) report(taken);
    },
  };
}
