/**
 * The outbox of a host: its status, and the faults of its tenants as events, for its centre, both signed with the host's key.
 * The courier carries them, and cannot change them.
 */
import type { Customers, FleetEngine, SeenTick } from '../../../agent/fleet/fleet-agent.ts';
import type { FleetOutboxResponse, FleetResponse } from '../../../agent/api/fleet-api.ts';
import type { HttpResult } from '../../../agent/api/http-result.ts';
import type { Log } from '../../../agent/log.ts';
import { causedBy, formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { ok } from '../../../../packages/base/result.ts';
import type { Member } from '../../../usage/member.ts';
import type { EventsDocument, FleetEvent } from '../../core/told/events.ts';
import { hostNamespaces } from '../../core/told/signed.ts';
import { statusOf } from '../../core/told/status-of.ts';
import { statusText } from '../../core/told/status.ts';
import { refuseRequest } from '../refusal.ts';
import { EventRing, type EventRange } from './event-ring.ts';
import { FaultMinutes } from './fault-minutes.ts';
import { readHostKey } from './host-key.ts';
import { RoomMeter } from './room-meter.ts';

const dayMilliseconds = 86_400_000;
/** How long a count of a day's incidents is good: the query reads all of them. */
const countedMilliseconds = 60_000;
const action = 'show what the centre gets';

/** The last event that the centre has. */
export interface OutboxQuery {
  readonly epoch: string | undefined;
  readonly after: number;
}

export class Outbox {
  readonly #directory: string;
  readonly #log: Pick<Log, 'warn'>;
  readonly #minutes = new FaultMinutes();
  readonly #ring: EventRing;
  readonly #room = new RoomMeter();
  #problem = '';
  #lastAt = 0;
  #faults: { readonly at: number; readonly count: number | null } | undefined;

  constructor(directory: string, log: Pick<Log, 'warn'>) {
    this.#directory = directory;
    this.#log = log;
    this.#ring = new EventRing(directory);
  }

  /** Counts the faults of a tick. `customers`: the names of tenants; absent before the first policy is read. */
  see(seen: SeenTick, customers?: Pick<Customers, 'find'>): void {
    const nameOf = (member: Member) => customers?.find(member).name ?? null;
    this.#add(this.#minutes.see(seen, nameOf));
  }

  #add(events: readonly FleetEvent[]): void {
    if (events.length === 0) return;
    const added = this.#ring.add(events);
    if (!added.ok) this.#warn(added.error);
    else this.#problem = '';
  }

  #warn(problem: Problem): void {
    const text = formatProblem(problem);
    if (text !== this.#problem) this.#log.warn(text);
    this.#problem = text;
  }

  answer(
    fleet: FleetResponse,
    engine: FleetEngine,
    { epoch, after }: OutboxQuery,
  ): HttpResult<FleetOutboxResponse> {
    const { fleet: name, host } = fleet;
    if (name === undefined || host === undefined)
      return refuseRequest({ status: 404, action, reason: 'this host is in no fleet' });
    // Read each time: a host that has left and joins again has another one.
    const key = readHostKey(this.#directory);
    if (!key.ok) return refuseRequest({ status: 503, action, ...causedBy(key.error) });
    const range = this.#ring.after(epoch, after);
    if (!range.ok) this.#warn(range.error);
    const { placement, events, tenants } = engine;
    const { outside, unknown, scannedAt } = placement();
    const status = statusOf(
      { ...fleet, fleet: name, host },
      {
        at: this.#now(),
        tenants: tenants(),
        faults24h: this.#faultsOfDay(events),
        outside: scannedAt === undefined || unknown.length > 0 ? null : outside.length,
        room: this.#room.report(engine),
        events: range.ok ? { last: range.value.last, epoch: range.value.epoch } : null,
      },
    );
    const made = range.ok ? eventsOf(name, host, range.value) : undefined;
    const { sign } = key.value;
    return ok({
      host,
      status: JSON.stringify(sign(hostNamespaces.status, statusText(status))),
      ...(made && {
        events: {
          epoch: made.epoch,
          last: made.first + made.events.length - 1,
          signed: JSON.stringify(sign(hostNamespaces.events, JSON.stringify(made))),
        },
      }),
    });
  }

  /** Returns the time, which never goes back: a centre takes no status that is older than the last one. */
  #now(): string {
    this.#lastAt = Math.max(Date.now(), this.#lastAt + 1);
    return new Date(this.#lastAt).toISOString();
  }

  #faultsOfDay(events: FleetEngine['events']): number | null {
    const now = Date.now();
    if (this.#faults !== undefined && Math.abs(now - this.#faults.at) < countedMilliseconds)
      return this.#faults.count;
    const period = { from: now - dayMilliseconds, to: now };
    const counted = events.incidents({ ...period, severity: 'throttled', count: 0 });
    this.#faults = { at: now, count: counted.ok ? counted.value.total : null };
    return this.#faults.count;
  }

  /** Ends; keeps what was counted since the last minute if the host is still in its fleet. */
  stop(isMember: boolean): void {
    if (isMember) this.#add(this.#minutes.take(Date.now()));
    this.#ring[Symbol.dispose]();
  }
}

function eventsOf(fleet: string, host: string, range: EventRange): EventsDocument | undefined {
  const { epoch, oldest, first, events } = range;
  return events.length === 0 ? undefined : { format: 1, fleet, host, epoch, oldest, first, events };
}
