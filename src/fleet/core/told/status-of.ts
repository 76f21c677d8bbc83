/** The status of a host, from its state in the fleet and what the agent has counted. */
import type { FleetResponse } from '../../../agent/api/fleet-api.ts';
import { whyCharsMax, type HostStatus } from './status.ts';

export interface Counted {
  /** An ISO time in UTC. */
  readonly at: string;
  readonly tenants: number | null;
  readonly faults24h: number | null;
  readonly outside: number | null;
  readonly room: HostStatus['room'];
  readonly events: HostStatus['events'];
}

export function statusOf(
  shown: FleetResponse & { readonly fleet: string; readonly host: string },
  { at, tenants, faults24h, outside, room, events }: Counted,
): HostStatus {
  return {
    format: 1,
    fleet: shown.fleet,
    host: shown.host,
    at,
    state: shown.state,
    generation: shown.release?.generation ?? null,
    newest: shown.newestGeneration ?? null,
    root: shown.newestRoot ?? null,
    confirmed: shown.confirmedGeneration ?? null,
    tenants,
    faults24h,
    outside,
    why: whyOf(shown),
    room,
    events,
  };
}

/** Returns why it is in a state that people should look at; null if that needs no reason. */
function whyOf({ state, release, ended, hold, problems }: FleetResponse): string | null {
  const isEnded = state === 'refused' || state === 'rolled back';
  const reasons =
    problems.length > 0
      ? problems
      : state === 'held'
        ? [hold?.reason ?? '']
        : ((isEnded ? ended?.reasons : release?.reasons) ?? []);
  const text = reasons.join('; ');
  return text === '' ? null : text.slice(0, whyCharsMax);
}
