/** All hosts of a fleet, as the console and the API show them. */
import type {
  FleetHostRow,
  FleetHostsResponse,
  FleetHostsRollout,
  FleetWave,
} from '../../../agent/api/fleet-hosts-api.ts';
import { overviewOf } from './host-overview.ts';
import type { Snapshot, SnapshotHost, SnapshotRollout } from './snapshot.ts';
import { parseStatus, type HostStatus } from './status.ts';

/** A centre writes every 15 seconds. */
const currentMilliseconds = 60_000;

/** A host, with what its row does not have. */
interface KnownHost {
  readonly row: FleetHostRow;
  readonly wave: number | null;
  /** The newest generation that it has verified; null: none, or unknown. */
  readonly newest: number | null;
}

export type AllHosts = Omit<FleetHostsResponse, 'isCurrent'> & { readonly at: number };

/** Returns the hosts as they were when the centre wrote of them. */
export function allHosts({ head, hosts }: Snapshot): AllHosts {
  const { at } = head;
  const known = hosts.map((each) => knownHost(each, head.fleet, at));
  return {
    isCentre: true,
    fleet: head.fleet,
    at,
    count: Math.max(head.count, hosts.length),
    hosts: known.map(({ row }) => row),
    ...(head.rollout !== null && { rollout: rolloutOf(head.rollout, known) }),
    problems: head.problem === null ? [] : [head.problem],
  };
}

/** `now` is in milliseconds since 1970. */
export const responseNow = (all: AllHosts, now: number): FleetHostsResponse => ({
  ...all,
  isCurrent: Math.abs(now - all.at) <= currentMilliseconds,
});

function knownHost(
  { host, wave, status, receivedAt, heard, refused, mark }: SnapshotHost,
  fleet: string,
  at: number,
): KnownHost {
  const told = statusOf(host, fleet, status);
  const row = overviewOf(
    {
      host,
      status: told,
      receivedAt,
      heard,
      refused: refused ?? undefined,
      mark: mark ?? undefined,
    },
    at,
  );
  return { row, wave, newest: told?.newest ?? null };
}

function statusOf(host: string, fleet: string, text: string | null): HostStatus | undefined {
  const status = parseStatus(text ?? '');
  const isOwn = status.ok && status.value.host === host && status.value.fleet === fleet;
  return isOwn ? status.value : undefined;
}

function rolloutOf(
  { generation, waves, record }: SnapshotRollout,
  known: readonly KnownHost[],
): FleetHostsRollout {
  const byWave = Map.groupBy(known, ({ wave }) => wave);
  return {
    generation,
    waves: waves.map(({ hosts, isOpen }, index) => ({
      wave: index + 1,
      isOpen,
      hosts,
      ...countsOf(byWave.get(index + 1) ?? [], generation),
    })),
    ...(record !== null && { record: recordOf(record) }),
  };
}

function recordOf({ reason, ...record }: NonNullable<SnapshotRollout['record']>) {
  return { ...record, ...(reason !== '' && { reason }) };
}

type Progress = 'healthy' | 'begun' | 'failed' | 'unknown';

function countsOf(hosts: readonly KnownHost[], generation: number): Pick<FleetWave, Progress> {
  const counts = { healthy: 0, begun: 0, failed: 0, unknown: 0 };
  for (const each of hosts) {
    const progress = progressOf(each, generation);
    if (progress !== undefined) counts[progress] += 1;
  }
  return counts;
}

const failedStates = ['refused', 'rolled back', 'going back', 'unsupported version'];

/** Returns what a release has come to on a host; undefined if the host has not begun with it. */
function progressOf({ row, newest }: KnownHost, generation: number): Progress | undefined {
  const { state } = row;
  if (state === 'silent' || state === 'unknown') return 'unknown';
  const hasIt = row.generation === generation;
  if (failedStates.includes(state) && (hasIt || newest === generation)) return 'failed';
  if (hasIt) return state === 'healthy' || state === 'confirmed' ? 'healthy' : 'begun';
  return newest === generation && ['checking', 'applying'].includes(state) ? 'begun' : undefined;
}
