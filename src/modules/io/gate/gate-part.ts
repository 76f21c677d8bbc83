/**
 * The agent's part for the gate. It logs refusals as they happen. It alerts the administrator to
 * refusals, and to a gate that is no longer in the mode it was set to.
 */
import { Lasting } from '../../../host/reconcile/lasting.ts';
import type { Log } from '../../../agent/log.ts';
import type { Alarm, AgentPart } from '../../../agent/part.ts';
import { reportOnce } from '../../../host/reconcile/report-once.ts';
import { Rounds } from '../../../host/reconcile/rounds.ts';
import type { Paths } from '../../../host/paths.ts';
import { count } from '../../../../packages/base/list.ts';
import type { GateMode } from '../../core/gate/gate-event.ts';
import { formatGateRefusal } from '../../core/gate/refusal-text.ts';
import { GateLists } from './gate-lists.ts';
import { gateGuard, gateMode, takeRefusals } from './kernel-gate.ts';
import type { GateRefusal } from './refusals.ts';

/** The pause between two comparisons of the mode with the chosen one. */
const checkMs = 60_000;

export function gatePart(paths: Paths, log: Log): AgentPart {
  const report = reportOnce((text) => log.error(text));
  const alarms: Alarm[] = [];
  const lasting = new Lasting<Alarm>();
  const check = () => {
    const alarm = lasting.see(stateAlarm(new GateLists(paths).mode(), gateMode(paths)));
    if (alarm !== undefined) alarms.push(alarm);
  };
  const checks = new Rounds(checkMs, check, {
    about: 'the gate for kernel modules',
    log: (text) => log.error(text),
  });
  let refused = 0;
  return {
    protection() {
      const now = gateMode(paths);
      const isUnread = now === 'off' && gateGuard(paths).areInForce();
      return { name: 'modules-gate', state: isUnread ? 'unknown' : now, refused };
    },
    afterTick() {
      const taken = takeRefusals(paths);
      const refusals = taken.ok ? taken.value : [];
      refused += refusals.length;
      for (const each of refusals) log.warn(formatGateRefusal(each));
      alarms.push(...gateAlarm(refusals));
      checks.tick();
      report(taken);
    },
    takeAlarms: () => alarms.splice(0),
  };
}

/** Returns an alarm if the kernel's mode is weaker than the chosen one. */
export function stateAlarm(wanted: GateMode, now: GateMode): Alarm | undefined {
  if (wanted === 'off' || now === wanted || now === 'on') return undefined;
  return {
    about: 'modules gate',
    title: `the gate for kernel modules is "${now}", not "${wanted}"`,
    text: `The gate for kernel modules was set to "${wanted}" and is "${now}" now: somebody has removed its programs, or it could not be restored at the last boot. Every module ${now === 'off' ? 'loads' : 'loads, and is only reported'}. See bulkhead modules gate status; bulkhead modules gate sync --saved enables it again.`,
  };
}

/**
 * Returns an alarm for modules that were really refused; a gate that only watches lets them load.
 */
export function gateAlarm(refusals: readonly GateRefusal[]): readonly Alarm[] {
  const refused = refusals.filter(({ loaded }) => !loaded);
  const last = refused.at(-1);
  if (last === undefined) return [];
  return [
    {
      about: 'modules gate refused',
      title: `the gate refused a kernel module: ${last.from === 'memory' ? 'from memory' : last.name}`,
      text: `${count(refused.length, 'module was', 'modules were')} refused by the gate for kernel modules. The last one: ${formatGateRefusal(last)}. If it should load, see bulkhead modules gate why; if nobody knows of it, somebody tries to load code into the kernel as root.`,
      count: refused.length,
    },
  ];
}
