/** Incidents, snapshots and faults to write, and questions to the file that has them. */
import { DatabaseSync } from 'node:sqlite';
import type { NewIncident } from '../../src/store/events/event-store.ts';
import type { Fault } from '../../src/usage/fault.ts';
import type { ProcessEvidence, Snapshot } from '../../src/usage/incident.ts';
import type { Member } from '../../src/usage/member.ts';
import { metricKeys, type MetricKey } from '../../src/usage/metrics.ts';
import { day, Place, start } from './samples.ts';

export const incident = (change: Partial<NewIncident> = {}): NewIncident => ({
  member: 'u1001',
  name: 'ann',
  limit: 'memory.limit',
  severity: 'refused',
  inferred: false,
  begin: start,
  end: start + 5_000,
  faults: 3,
  value: '512MiB',
  from: 'policy.xml:12',
  ...change,
});

export const process = (pid: number, command: string): ProcessEvidence => ({
  pid,
  name: 'php',
  command,
  state: 'R',
  threads: 1,
  cpuSeconds: 1.5,
  memoryBytes: 2 ** 20,
  readBytes: 0,
  writeBytes: 7,
  ageSeconds: 60,
});
const usage = Object.fromEntries(metricKeys.map((key) => [key, 0.5])) as Record<MetricKey, number>;
export const snapshot = (at: number, processes: readonly ProcessEvidence[] = []): Snapshot => ({
  at,
  processes,
  processCount: processes.length,
  usage,
  killed: [{ pid: 12, name: 'php' }],
});
export const fault = (member: Member, count: number): Fault => ({
  member,
  limit: 'cpu.limit',
  severity: 'throttled',
  count,
  inferred: false,
});
export const everything = { from: 0, to: start + 1_000 * day, count: 1_000 };

export const countIn = (place: Place, sql: string) => {
  const db = new DatabaseSync(`${place.directory}/events.db`, { readOnly: true });
  try {
    return Number(Object.values(db.prepare(sql).get() ?? {})[0]);
  } finally {
    db.close();
  }
};
