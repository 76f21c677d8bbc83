/** Alarms for the administrator about strict placement: that it is not in force, and what it refused. */
import type { Alarm } from '../../agent/part.ts';
import { count, listSome } from '../../../packages/base/list.ts';
import type { StrictMode } from '../../policy/document.ts';
import { strictEventText, type KnownEvent } from './event-text.ts';

interface Modes {
  readonly placement?: StrictMode | null | undefined;
  readonly modules?: StrictMode | null | undefined;
}

/** Returns an alarm if the kernel enforces less than the policy demands. */
export function alarmOfState(wanted: Modes | undefined, now: Modes | undefined): Alarm | undefined {
  const less = (['placement', 'modules'] as const).filter((each) =>
    isLess(now?.[each], wanted?.[each]),
  );
  if (less.length === 0) return undefined;
  const parts = less.map(
    (each) => `${names[each]} is "${now?.[each] ?? 'off'}", not "${wanted?.[each]}"`,
  );
  return {
    about: 'strict placement',
    title: `${less.includes('placement') ? 'strict placement' : names.modules} is not in force`,
    text: `The kernel does not hold tenants as the policy says: ${parts.join('; ')}. Somebody has removed the programs, or they could not be loaded at the last boot. See bulkhead placement status; bulkhead apply loads them again.`,
  };
}

const names = {
  placement: 'strict placement',
  modules: 'the refusal of kernel modules to tenants',
} as const;

const isLess = (now: StrictMode | null | undefined, wanted: StrictMode | null | undefined) =>
  wanted === 'on' ? now !== 'on' : wanted === 'watch' && (now ?? undefined) === undefined;

/** Returns an alarm if the kernel lacks tenants of the policy. */
export function alarmOfTenants(uids: readonly number[]): Alarm | undefined {
  if (uids.length === 0) return undefined;
  const who = listSome(uids.map(String));
  return {
    about: 'strict placement',
    title: `strict placement is not in force for ${count(uids.length, 'tenant')}`,
    text: `The kernel does not enforce strict placement for uid ${who}, as the policy says. The agent loads it again; see bulkhead placement status.`,
  };
}

/** Returns an alarm about attempts that were refused indeed, and not only reported. */
export function placementAlarm(events: readonly KnownEvent[]): readonly Alarm[] {
  const refused = events.filter(({ passed }) => !passed);
  const last = refused.at(-1);
  if (last === undefined) return [];
  return [
    {
      about: 'strict placement refused',
      title: `strict placement refused ${last.command} of ${last.account ?? `uid ${last.tenant}`}`,
      text: `The kernel refused ${count(refused.length, 'attempt', 'attempts')} by strict placement. The last one: ${strictEventText(last)}.`,
      count: refused.length,
    },
  ];
}
