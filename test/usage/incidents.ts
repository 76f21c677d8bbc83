/** Incidents and their explanations, for tests. */
import { capabilities } from '../../src/capabilities.ts';
import { explainIncident } from '../../src/usage/explain-incident.ts';
import { loadIncidentKinds } from '../../src/usage/incident-kinds.ts';
import type { Incident, ProcessEvidence, Snapshot } from '../../src/usage/incident.ts';
import { metricKeys, type MetricKey } from '../../src/usage/metrics.ts';

export const begin = Date.UTC(2026, 10, 24, 14, 2, 10);

export const incidentOf = (changes: Partial<Incident> = {}): Incident => ({
  id: 7,
  member: 'u1001',
  name: 'ann',
  limit: 'cpu.limit',
  severity: 'throttled',
  inferred: false,
  begin,
  end: begin + 7 * 60_000,
  faults: 37,
  value: '100%',
  from: 'policy.xml:12',
  snapshots: 0,
  ...changes,
});

export const processOf = (changes: Partial<ProcessEvidence> = {}): ProcessEvidence => ({
  pid: 100,
  name: 'php-fpm',
  command: 'php-fpm: pool www',
  state: 'R',
  threads: 1,
  cpuSeconds: 10,
  memoryBytes: 50 * 2 ** 20,
  readBytes: 0,
  writeBytes: 0,
  ageSeconds: 500,
  ...changes,
});

export function snapshotOf(
  processes: readonly ProcessEvidence[],
  usage: Partial<Record<MetricKey, number>> = {},
  changes: Partial<Snapshot> = {},
): Snapshot {
  const zeros = Object.fromEntries(metricKeys.map((key) => [key, 0])) as Record<MetricKey, number>;
  return {
    at: begin,
    processes,
    processCount: processes.length,
    usage: { ...zeros, ...usage },
    ...changes,
  };
}

export const kinds = await loadIncidentKinds(capabilities);

export const plain = { kinds, showCommands: false } as const;

export const whole = { kinds, showCommands: true } as const;

export const textOf = (...args: Parameters<typeof explainIncident>) =>
  explainIncident(...args).join('\n');
