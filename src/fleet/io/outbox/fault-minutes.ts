/** Counts the faults of each tenant by limit, and returns them as events once a minute. */
import type { SeenTick } from '../../../agent/fleet/fleet-agent.ts';
import type { Fault } from '../../../usage/fault.ts';
import type { Member } from '../../../usage/member.ts';
import { eventNameCharsMax, type FleetEvent } from '../../core/told/events.ts';

const minuteMilliseconds = 60_000;

interface Counted {
  readonly fault: Fault;
  readonly name: string | null;
  count: number;
}

export class FaultMinutes {
  readonly #counts = new Map<string, Counted>();
  #begin = 0;

  /** Counts a tick. Returns the events of the minute if it is over. */
  see(
    { at, faults }: Pick<SeenTick, 'at' | 'faults'>,
    nameOf: (member: Member) => string | null,
  ): readonly FleetEvent[] {
    for (const fault of faults) {
      // A limit that is only observed has slowed nothing down.
      if (fault.severity === 'observed') continue;
      const key = `${fault.member} ${fault.limit} ${fault.severity}`;
      const before = this.#counts.get(key);
      if (before === undefined)
        this.#counts.set(key, { fault, count: fault.count, name: nameOf(fault.member) });
      else before.count += fault.count;
    }
    // A clock that was set back ends the minute as well.
    if (Math.abs(at - this.#begin) < minuteMilliseconds) return [];
    this.#begin = at;
    return this.take(at);
  }

  /** Returns what was counted, and begins anew. */
  take(at: number): readonly FleetEvent[] {
    const events = [...this.#counts.values()].map(({ fault, count, name }) => ({
      at: new Date(at).toISOString(),
      member: fault.member,
      name: name === null || name.length > eventNameCharsMax ? null : name,
      limit: fault.limit,
      severity: fault.severity,
      faults: Math.round(count),
    }));
    this.#counts.clear();
    return events.filter(({ faults }) => faults > 0);
  }
}
