/** Files of hosts as a centre writes them, for tests of those who read them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  snapshotText,
  type Snapshot,
  type SnapshotHead,
  type SnapshotHost,
} from '../../../src/fleet/core/told/snapshot.ts';
import { statusText, type HostStatus } from '../../../src/fleet/core/told/status.ts';
import { centreSnapshot } from '../../../src/host/paths.ts';

/** A host that has told its status just now. */
export const toldHost = (
  host: string,
  at: number,
  status: Partial<HostStatus> = {},
  more: Partial<SnapshotHost> = {},
): SnapshotHost => ({
  host,
  wave: 1,
  status: statusText({
    format: 1,
    fleet: 'example',
    host,
    at: new Date(at).toISOString(),
    state: 'confirmed',
    generation: 42,
    newest: 42,
    root: '0'.repeat(64),
    confirmed: 42,
    tenants: 800,
    faults24h: 12,
    outside: 0,
    why: null,
    room: null,
    events: { last: 5, epoch: 'e1' },
    ...status,
  }),
  receivedAt: at,
  heard: new Date(at).toISOString(),
  refused: null,
  mark: { epoch: 'e1', stored: 5, lost: 0 },
  ...more,
});

export const snapshotOf = (
  hosts: readonly SnapshotHost[],
  at: number,
  more: Partial<SnapshotHead> = {},
): Snapshot => ({
  head: {
    format: 1,
    fleet: 'example',
    at,
    count: hosts.length,
    rollout: null,
    problem: null,
    ...more,
  },
  hosts,
});

export const snapshotPath = (directory: string): string => join(directory, centreSnapshot);

export function writeSnapshot(directory: string, snapshot: Snapshot): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(snapshotPath(directory), snapshotText(snapshot));
}
