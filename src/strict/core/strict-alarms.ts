/** What the administrator is told of strict placement: that it is not in force, and what it refused. */
import type { Alarm } from '../../agent/part.ts';
import { count } from '../../base/list.ts';
import type { StrictMode } from '../../policy/document.ts';
import { strictEventText, type StrictEvent } from './strict-event.ts';

interface Modes {
  readonly placement?: StrictMode | null | undefined;
  readonly modules?: StrictMode | null | undefined;
}

/** Where the kernel has less than the policy says. */
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

/** Of those that were refused indeed, and not only reported. */
export function refusedAlarm(
  events: readonly Omit<StrictEvent, 'nanoseconds' | 'cgroup'>[],
): readonly Alarm[] {
  const refused = events.filter(({ passed }) => !passed);
  const last = refused.at(-1);
  if (last === undefined) return [];
  return [
    {
      about: 'strict placement refused',
      title: `strict placement refused ${last.command}`,
      text: `The kernel refused ${count(refused.length, 'attempt', 'attempts')} by strict placement. The last one: ${strictEventText(last)}.`,
      count: refused.length,
    },
  ];
}
