/**
 * The incidents of all hosts, from the events that they have told: one event is the faults of a minute, and minutes close
 * to each other are one incident. A host counts incidents by ticks, so its own can begin and end within these minutes.
 */
import { severities, type Severity } from '../../../limits/limit.ts';
import { quietMilliseconds } from '../../../usage/incident-log.ts';
import { keptEventsMax, type FleetEvent } from './events.ts';
import type { HostOverview } from './host-overview.ts';

export interface StoredEvent extends FleetEvent {
  readonly host: string;
  readonly epoch: string;
  readonly number: number;
  /** Its `at`, but not later than it came, in milliseconds since 1970. */
  readonly end: number;
}

/** An incident as the centre knows it. */
export interface FleetIncident {
  /** The host and the number of its first event: `web-017/41`; with the epoch between them if that is not the host's last one. */
  readonly id: string;
  /** The host. */
  readonly host: string;
  /** The tenant, reseller or site by its uid: `u1001`, `r1000` or `u1001/shop.example`. */
  readonly member: string;
  /** Its name on that host; null: unknown. */
  readonly name: string | null;
  /** The limit that was hit. */
  readonly limit: string;
  /** The worst severity. */
  readonly severity: string;
  /** The beginning of its first minute by the host's clock, in milliseconds since 1970. */
  readonly begin: number;
  /** The end of its last minute. */
  readonly end: number;
  /** The number of faults. */
  readonly faults: number;
}

export interface GroupedIncident {
  readonly incident: FleetIncident;
  readonly events: readonly StoredEvent[];
}

const minuteMilliseconds = 60_000;

/**
 * Groups events, which are in the order of their numbers for each host and epoch.
 * `lastEpochs`: the last epoch of each host.
 */
export function incidentsOf(
  events: Iterable<StoredEvent>,
  lastEpochs: ReadonlyMap<string, string>,
): readonly GroupedIncident[] {
  const groups: StoredEvent[][] = [];
  const open = new Map<string, StoredEvent[]>();
  for (const event of events) {
    const { host, epoch, member, limit } = event;
    const key = JSON.stringify([host, epoch, member, limit]);
    const group = open.get(key);
    const last = group?.at(-1);
    if (last !== undefined && isNear(last, event)) {
      group?.push(event);
      continue;
    }
    const begun = [event];
    open.set(key, begun);
    groups.push(begun);
  }
  return groups.map((group) => incidentOf(group, lastEpochs));
}

/** Both are ends of minutes; a host's clock may have been set back. */
const isNear = (last: StoredEvent, next: StoredEvent): boolean =>
  Math.abs(next.end - last.end) <= quietMilliseconds + minuteMilliseconds;

function incidentOf(
  events: readonly StoredEvent[],
  lastEpochs: ReadonlyMap<string, string>,
): GroupedIncident {
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined) throw new Error('an incident has an event');
  const { host, epoch, number, member, limit } = first;
  const times = events.map(({ end }) => end);
  const incident: FleetIncident = {
    id: lastEpochs.get(host) === epoch ? `${host}/${number}` : `${host}/${epoch}/${number}`,
    host,
    member,
    name: last.name,
    limit,
    severity: events.map((each) => each.severity).reduce(worse),
    begin: Math.min(...times) - minuteMilliseconds,
    end: Math.max(...times),
    faults: events.reduce((sum, { faults }) => sum + faults, 0),
  };
  return { incident, events };
}

const worse = (one: string, other: string): string => (rankOf(other) > rankOf(one) ? other : one);
/** A later version may have a severity that is not known here. */
const rankOf = (severity: string): number => severities.indexOf(severity as Severity);

export interface IncidentId {
  readonly host: string;
  /** Absent: the last one of the host. */
  readonly epoch?: string;
  readonly number: number;
}

/** Parses `web-017/41`, or with an epoch between host and number. Undefined: it is none. */
export function parseIncidentId(text: string): IncidentId | undefined {
  const [, host = '', epoch, number] =
    /^([a-z0-9-]{1,63})\/(?:([a-z0-9-]{1,63})\/)?([1-9]\d{0,15})$/.exec(text) ?? [];
  if (number === undefined) return undefined;
  return { host, number: Number(number), ...(epoch !== undefined && { epoch }) };
}

/** Whether people mean this member: by name, by uid, by `u1001`, or as the tenant of a site. */
export function isMeant(
  { member, name }: Pick<FleetIncident, 'member' | 'name'>,
  text: string,
): boolean {
  const names = [member, member.slice(1), ...(name === null ? [] : [name])];
  return names.some((each) => each === text || each.startsWith(`${text}/`));
}

/** The faults that the centre does not know. */
export interface FleetUnknown {
  /** The hosts that told nothing for three minutes, or nothing yet. */
  readonly silent: readonly string[];
  /** The number of events that hosts have made and the centre does not have. */
  readonly notReceived: number;
  /** The hosts of which that number is unknown. */
  readonly notCounted: readonly string[];
  /** The number of events that hosts no longer had when they could send them. */
  readonly lost: number;
  /** The part of each host in these two numbers, the largest first; hosts without any are absent. */
  readonly parts: readonly FleetUnknownPart[];
}

/** The events that the centre does not have of one host, as that host says. */
export interface FleetUnknownPart {
  /** The host. */
  readonly host: string;
  /** The number that it has made and not sent; at most as many as a host keeps. */
  readonly notReceived: number;
  /** The number that it no longer has. */
  readonly lost: number;
}

/** Returns what is not known about these hosts. */
export function unknownOf(
  hosts: readonly Pick<HostOverview, 'host' | 'state' | 'behind' | 'lost'>[],
): FleetUnknown {
  const silent = hosts.filter(({ state }) => state === 'silent' || state === 'unknown');
  const parts = hosts
    .map(({ host, behind, lost }) => ({
      host,
      notReceived: Math.min(behind ?? 0, keptEventsMax),
      lost,
    }))
    .filter(({ notReceived, lost }) => notReceived + lost > 0)
    .sort((one, other) => other.notReceived + other.lost - one.notReceived - one.lost);
  const sum = (key: 'notReceived' | 'lost') => parts.reduce((all, each) => all + each[key], 0);
  return {
    silent: silent.map(({ host }) => host),
    notReceived: sum('notReceived'),
    notCounted: hosts.filter(({ behind }) => behind === null).map(({ host }) => host),
    lost: sum('lost'),
    parts,
  };
}
