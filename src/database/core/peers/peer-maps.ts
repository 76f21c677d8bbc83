/** The maps of `bpf/database.bpf.c`, which finds out who uses database servers by the sockets that they read from. */
import { CStruct } from '../../../../packages/base/c-struct.ts';
import { u32le, type MapEntry } from '../../../../packages/base/map-entry.ts';
import type { Cause } from '../../../../packages/base/problem.ts';

/** The tenants that are told apart. */
export interface PeersRule {
  readonly tenants: readonly number[];
  /** Subordinate uids, inclusive, in ascending order. */
  readonly ranges: readonly (readonly [first: number, last: number, tenant: number])[];
}

/** A server's process, and no other one that has its number later. */
export interface ServerProcess {
  readonly pid: number;
  /** The time of its start, in clock ticks since boot. */
  readonly started: bigint;
  /** Whether each connection has a process of its own. */
  readonly forks: boolean;
}

/** The size of the maps; one tenant is the self-test's. */
const tenantsMax = 65_535;
const rangesMax = 65_536;
export const serversMax = 63;
export const threadsMax = 65_536;
export const usedMax = 131_072;

/** Stands for clients that are no tenants', and for those by TCP. */
export const nobodysUid = 0xffff_ffff;

/** `struct thread`: the client that a thread works for, and the thread's CPU time when it began to, in nanoseconds. */
export const threadStruct = new CStruct({ started: 'u64', cpu: 'u64', server: 'u32', uid: 'u32' });
/** `struct user`, a key. */
export const userStruct = new CStruct({ server: 'u32', uid: 'u32' });
export const usedBytes = 8;

export function tooManyPeers({ tenants, ranges }: PeersRule): Cause | undefined {
  if (tenants.length > tenantsMax)
    return { reason: `${tenants.length} tenants are more than the ${tenantsMax} that it can hold` };
  if (ranges.length <= rangesMax) return undefined;
  return {
    reason: `tenants have ${ranges.length} ranges of subordinate uids, more than the ${rangesMax} that it can hold`,
    hint: 'take tenants out of /etc/subuid',
  };
}

export const peersMapEntries = ({ tenants, ranges }: PeersRule): readonly MapEntry[] => [
  { map: 'settings', key: u32le(0), value: u32le(ranges.length) },
  ...tenants.map(tenantEntry),
  ...ranges.map(([first, last, owner], index) => ({
    map: 'ranges',
    key: u32le(index),
    value: u32le(first, last - first + 1, owner),
  })),
];

export const tenantEntry = (uid: number): MapEntry => ({
  map: 'tenants',
  key: u32le(uid),
  value: u32le(1),
});

/** `since`: the monotonic clock in nanoseconds; threads that are younger have been started for their first client. */
export function serverEntry(
  { pid, started }: Pick<ServerProcess, 'pid' | 'started'>,
  since: bigint,
): MapEntry {
  const value = new Uint8Array(16);
  const view = new DataView(value.buffer);
  view.setBigUint64(0, started, true);
  view.setBigUint64(8, since, true);
  return { map: 'servers', key: u32le(pid), value };
}
