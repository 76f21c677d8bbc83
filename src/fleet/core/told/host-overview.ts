/** The hosts of a fleet, as their centre knows them. */
import type { FleetHostRow } from '../../../agent/api/fleet-hosts-api.ts';
import { fitOf, type RoomHost } from '../room.ts';
import type { HostStatus } from './status.ts';

/** A host that was not heard of for three statuses. */
export const silentMilliseconds = 200_000;

export interface ToldHost {
  readonly host: string;
  /** The last status; undefined if it cannot be read. */
  readonly status: HostStatus | undefined;
  /** The time when that came, in milliseconds since 1970, and as an ISO time in UTC. */
  readonly receivedAt: number;
  readonly heard: string;
  readonly refused: string | undefined;
  readonly mark:
    | { readonly epoch: string; readonly stored: number; readonly lost: number }
    | undefined;
}

export type HostOverview = FleetHostRow;

const isSilentAt = (now: number, { receivedAt }: ToldHost) => now - receivedAt > silentMilliseconds;

/** Returns the host with its room; what it told long ago says nothing about now. */
export function roomHostOf(told: ToldHost, now: number): RoomHost {
  const { host, status } = told;
  if (status === undefined) return { host, state: 'unknown', room: null };
  if (isSilentAt(now, told)) return { host, state: 'silent', room: null };
  return { host, state: status.state, room: status.room };
}

export function overviewOf(told: ToldHost, now: number): HostOverview {
  const { host, status, heard, refused, mark } = told;
  const isKnown = status !== undefined && !isSilentAt(now, told);
  return {
    host,
    state: roomHostOf(told, now).state,
    generation: status?.generation ?? null,
    tenants: status?.tenants ?? null,
    // A count of long ago says nothing about now.
    faults24h: isKnown ? status.faults24h : null,
    outside: isKnown ? status.outside : null,
    behind: behindOf(status, mark),
    lost: mark?.lost ?? 0,
    heard: status === undefined ? null : heard,
    room: fitOf(roomHostOf(told, now)).room,
    why: refused === undefined ? (status?.why ?? null) : `refused: ${refused}`,
  };
}

function behindOf(status: HostStatus | undefined, mark: ToldHost['mark']): number | null {
  const { events } = status ?? {};
  if (events === undefined || events === null) return null;
  const stored = mark?.epoch === events.epoch ? mark.stored : 0;
  return Math.max(0, events.last - stored);
}
