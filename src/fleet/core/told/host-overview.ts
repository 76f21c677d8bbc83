/** The hosts of a fleet, as their centre knows them. */
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
    { readonly epoch: string; readonly stored: number; readonly lost: number } | undefined;
}

export interface HostOverview {
  readonly host: string;
  /** The state that the host told, or `silent`, or `unknown`. */
  readonly state: string;
  readonly generation: number | null;
  readonly tenants: number | null;
  readonly faults24h: number | null;
  readonly outside: number | null;
  /** Events that the host has made and the centre does not have; null: unknown. */
  readonly behind: number | null;
  /** Events that the host no longer had when it could send them. */
  readonly lost: number;
  /** The time of the last status by the centre's clock, as an ISO time in UTC; null: none. */
  readonly heard: string | null;
  readonly why: string | null;
}

export function overviewOf(told: ToldHost, now: number): HostOverview {
  const { host, status, receivedAt, heard, refused, mark } = told;
  const isSilent = now - receivedAt > silentMilliseconds;
  const isKnown = status !== undefined && !isSilent;
  return {
    host,
    state: status === undefined ? 'unknown' : isSilent ? 'silent' : status.state,
    generation: status?.generation ?? null,
    tenants: status?.tenants ?? null,
    // A count of long ago says nothing about now.
    faults24h: isKnown ? status.faults24h : null,
    outside: isKnown ? status.outside : null,
    behind: behindOf(status, mark),
    lost: mark?.lost ?? 0,
    heard: status === undefined ? null : heard,
    why: refused === undefined ? (status?.why ?? null) : `refused: ${refused}`,
  };
}

function behindOf(status: HostStatus | undefined, mark: ToldHost['mark']): number | null {
  const { events } = status ?? {};
  if (events === undefined || events === null) return null;
  const stored = mark?.epoch === events.epoch ? mark.stored : 0;
  return Math.max(0, events.last - stored);
}
