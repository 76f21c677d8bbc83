/**
 * The room of a host for one tenant more: what its limits promise to tenants, what they really use, and which resource is
 * the tightest. Two figures decide, and both are the host's own: its p95, and what the new tenant would add to it.
 */
import type { FleetState } from '../../agent/api/fleet-api.ts';
import { amount, object, orNull, part, whole, type Field } from './fields.ts';

export const roomResources = ['cpu', 'memory'] as const;
export type RoomResource = (typeof roomResources)[number];
export const pressedRoomResources = ['cpu', 'memory', 'io'] as const;

/** A resource of a host: cores, or bytes. */
export interface RoomFigures {
  /** The amount that the host has; null: unknown. */
  readonly has: number | null;
  /** The sum of its tenants' limits; null: unknown. */
  readonly promised: number | null;
  /** The number of tenants without such a limit, who are not in the sum; null: unknown. */
  readonly unlimited: number | null;
  /** The amount that all tenants together did not exceed for 95 % of the time; null: unknown. */
  readonly p95: number | null;
  /** The most that all of them used at once; null: unknown. */
  readonly peak: number | null;
}

/** The part of the last five minutes in which something waited for a resource, from 0 to 1; null: unknown. */
export interface RoomPressure {
  /** CPU. */
  readonly cpu: number | null;
  /** Memory. */
  readonly memory: number | null;
  /** Disks. */
  readonly io: number | null;
}

/** The room of a host, as it tells it. */
export interface RoomReport {
  /** The seconds of the last seven days that were measured; null: unknown. */
  readonly measuredSeconds: number | null;
  /** Cores. */
  readonly cpu: RoomFigures;
  /** Bytes of programs, without the page cache. */
  readonly memory: RoomFigures;
  /** The time in which programs waited. */
  readonly pressure: RoomPressure;
}

/** More than any host has: Linux has at most 8,192 processors. */
const most = { cpu: 8192, memory: 2 ** 50 } as const;
/** A week, and an hour for clocks that were set. */
const measuredSecondsMax = 7 * 86_400 + 3600;
/** The most tenants, or processes, of a host that a status may state. */
export const countedMax: { readonly tenants: number; readonly processes: number } = {
  tenants: 1e6,
  // PID_MAX_LIMIT of 64-bit kernels.
  processes: 2 ** 22,
};

const figures = (resource: RoomResource) => {
  const used = orNull(amount(most[resource]));
  return object<RoomFigures>({
    has: used,
    // Limits may promise much more than the host has.
    promised: orNull(amount()),
    unlimited: orNull(whole(0, countedMax.tenants)),
    p95: used,
    peak: used,
  });
};

export const roomField: Field<RoomReport> = object<RoomReport>({
  measuredSeconds: orNull(whole(0, measuredSecondsMax)),
  cpu: figures('cpu'),
  memory: figures('memory'),
  pressure: object<RoomPressure>({ cpu: orNull(part), memory: orNull(part), io: orNull(part) }),
});

/** The need of a new tenant: cores, or bytes. */
export interface ResourceNeed {
  /** The tenant's limit; null: it has none, or that is unknown. */
  readonly promised: number | null;
  /** The tenant's own p95; null: unknown. */
  readonly p95: number | null;
}
export interface RoomNeed {
  /** Cores. */
  readonly cpu: ResourceNeed;
  /** Bytes of programs, without the page cache. */
  readonly memory: ResourceNeed;
}

const resourceNeed = object<ResourceNeed>({ promised: orNull(amount()), p95: orNull(amount()) });
export const needField: Field<RoomNeed> = object<RoomNeed>({
  cpu: resourceNeed,
  memory: resourceNeed,
});

/** Returns the need with what another tenant, or the same one elsewhere, has used. */
export const usedLike = ({ cpu, memory }: RoomNeed, like: RoomNeed): RoomNeed => ({
  cpu: { ...cpu, p95: like.cpu.p95 },
  memory: { ...memory, p95: like.memory.p95 },
});

/** A host as its centre knows it. */
export interface RoomHost {
  readonly host: string;
  /** The state that it told; `silent` or `unknown` if it did not. */
  readonly state: string;
  readonly room: RoomReport | null;
}

/** A resource of a host as parts of what it has: 1 is all of it; null: unknown. */
export interface ResourceShare {
  /** The sum of the limits. */
  readonly promised: number | null;
  /** The part that was not exceeded for 95 % of the time. */
  readonly p95: number | null;
  /** The largest part that was in use at once. */
  readonly peak: number | null;
  /** The p95 with the new tenant; without one, the p95. */
  readonly after: number | null;
}

/** The room of a host. */
export interface HostFit {
  /** The name of the host. */
  readonly host: string;
  /** The state of the host. */
  readonly state: string;
  /** CPU. */
  readonly cpu: ResourceShare;
  /** Memory. */
  readonly memory: ResourceShare;
  /** The resource that decides: the one of which the largest part is in use then; null: unknown. */
  readonly tightest: RoomResource | null;
  /** The part of it in use then, with the new tenant if one was named; null: unknown. */
  readonly after: number | null;
  /** The part that is left before the host counts as full; null: unknown. */
  readonly room: number | null;
  /** Whether the tenant fits; false: it does not, or the host drops out; null: too little is known. */
  readonly fits: boolean | null;
  /** The reason why it does not fit, or why that is unknown; null if it fits. */
  readonly why: string | null;
}

/** A host of which more than this part is in use counts as full: backups and busy days need the rest. */
export const fullPart = 0.9;
/** The least history that says something: less has no night and no busy hour. */
export const roomSecondsMin = 86_400;
/** The parts of time from which on a host is under pressure. Programs always wait a little for CPU and disks. */
const pressureMax: Readonly<Record<keyof RoomPressure, number>> = {
  cpu: 0.5,
  memory: 0.1,
  io: 0.3,
};

/** States in which a host may take a new tenant: all others, and those that only later versions know, say why it does not. */
const taking: ReadonlySet<string> = new Set<FleetState>([
  'new',
  'waiting',
  'checking',
  'healthy',
  'confirmed',
  'refused',
  'rolled back',
]);

/** States of hosts that told nothing lately. */
export const untold: ReadonlySet<string> = new Set(['silent', 'unknown']);

/** Returns how a host stands with a new tenant; without a need, how it stands now. */
export function fitOf({ host, state, room }: RoomHost, need?: RoomNeed): HostFit {
  const cpu = shareOf(room?.cpu, need?.cpu);
  const memory = shareOf(room?.memory, need?.memory);
  const { tightest, after } = tightestOf(cpu, memory);
  const verdict =
    stateProblem(state) ??
    (room === null ? unknown('its room is unknown') : verdictOn(room, { cpu, memory }));
  const left = after === null ? null : Math.max(0, fullPart - after);
  return { host, state, cpu, memory, tightest, after, room: left, ...verdict };
}

/** Returns a host that has no room whatever it uses; `fits` is null if that is unknown. */
export const unfit = (host: RoomHost, fits: false | null, why: string): HostFit => ({
  ...fitOf(host),
  fits,
  why,
});

/** Sorts hosts with the most room first; those of which it is unknown follow by name, and then those that have none. */
export const compareRooms = (one: HostFit, other: HostFit): number =>
  rankOf(one) - rankOf(other) ||
  (one.fits === true ? (one.after ?? 0) - (other.after ?? 0) : 0) ||
  (one.host < other.host ? -1 : 1);

function shareOf(resource: RoomFigures | undefined, need: ResourceNeed | undefined): ResourceShare {
  const partOf = (value: number | null | undefined) => {
    const part = (value ?? Number.NaN) / (resource?.has ?? Number.NaN);
    return Number.isFinite(part) ? part : null;
  };
  const { promised, p95, peak } = resource ?? {};
  const added = need === undefined ? 0 : addedBy(need, resource);
  const isKnown = typeof p95 === 'number' && added !== null;
  return {
    promised: partOf(promised),
    p95: partOf(p95),
    peak: partOf(peak),
    after: partOf(isKnown ? p95 + added : null),
  };
}

/**
 * Returns what a tenant adds to the p95 of a host: its own p95, or the part of its limit that tenants of this host use of
 * theirs; all of the limit if that is unknown. Null: unknown.
 */
function addedBy({ promised, p95 }: ResourceNeed, resource: RoomFigures | undefined) {
  if (p95 !== null) return p95;
  if (promised === null) return null;
  const { promised: sum = null, p95: used = null, unlimited = null } = resource ?? {};
  // What tenants without a limit use says nothing about limits.
  const isKnown = sum !== null && sum > 0 && used !== null && unlimited === 0;
  return isKnown ? promised * Math.min(1, used / sum) : promised;
}

/** Both must be known: the other one could be the tightest. */
function tightestOf(cpu: ResourceShare, memory: ResourceShare) {
  if (cpu.after === null || memory.after === null) return { tightest: null, after: null };
  return cpu.after > memory.after
    ? { tightest: 'cpu' as const, after: cpu.after }
    : { tightest: 'memory' as const, after: memory.after };
}

type Verdict = Pick<HostFit, 'fits' | 'why'>;

const rankOf = ({ fits }: HostFit): number => (fits === true ? 0 : fits === null ? 1 : 2);
const fitting: Verdict = { fits: true, why: null };
const full = (why: string): Verdict => ({ fits: false, why });
const unknown = (why: string): Verdict => ({ fits: null, why });

const stateProblem = (state: string): Verdict | undefined =>
  taking.has(state) ? undefined : untold.has(state) ? unknown(state) : full(state);

/** Certain facts count first: a full host is full whatever else is unknown. */
function verdictOn(
  { pressure, measuredSeconds }: RoomReport,
  shares: Readonly<Record<RoomResource, ResourceShare>>,
): Verdict {
  const { tightest, after } = tightestOf(shares.cpu, shares.memory);
  const pressed = pressedRoomResources.find((name) => (pressure[name] ?? 0) >= pressureMax[name]);
  if (pressed !== undefined)
    return full(
      `under pressure: ${Math.round((pressure[pressed] ?? 0) * 100)}% of the time, programs wait for ${pressed}`,
    );
  const over = roomResources.find((name) => (shares[name].after ?? 0) > fullPart);
  if (over !== undefined) return full(tightest ?? over);
  if (tightest === null || after === null)
    return unknown(
      shares.cpu.p95 === null || shares.memory.p95 === null
        ? 'what its tenants use is unknown'
        : 'what the tenant would use is unknown',
    );
  if ((measuredSeconds ?? 0) < roomSecondsMin) return unknown('less than a day was measured');
  return pressedRoomResources.some((name) => pressure[name] === null)
    ? unknown('its pressure is unknown')
    : fitting;
}
