/** The metric families of tenants, resellers and sites: counters, limits, faults, mail and disk usage. */
import type { SentByWeb } from '../api/usage-api.ts';
import type { DatabaseUse, NetworkUse } from '../part.ts';
import type { QuantityKind } from '../../../packages/base/quantity.ts';
import type { DiskUsage } from '../../host/disks/quotas.ts';
import type { Counters, LimitKey, Severity } from '../../limits/limit.ts';
import { attributes, limits, type KeyedAttribute } from '../../limits/limits.ts';
import { comparable } from '../../usage/detect.ts';
import type { Family } from './page.ts';

interface CounterFamily extends Family {
  /** The factor from the counter's unit to the base unit. */
  readonly scale: number;
  /** Distinguishes counters that share a family. */
  readonly label?: string;
  /** Whether only cgroup v2 counts it; on v1 a zero would mean that nothing waited. */
  readonly onlyCgroup2?: boolean;
}

const counter = (name: string, help: string): CounterFamily => ({
  name: `${name}_total`,
  type: 'counter',
  help,
  scale: 1,
});
const gauge = (name: string, help: string): CounterFamily => ({
  name,
  type: 'gauge',
  help,
  scale: 1,
});
const seconds = (name: string, help: string): CounterFamily => ({
  ...counter(`${name}_seconds`, help),
  scale: 1e-6,
});
const waiting = (resource: string): CounterFamily => ({
  ...seconds('pressure_waiting', 'Time during which at least one thread waited for the resource.'),
  label: `resource="${resource}"`,
  onlyCgroup2: true,
});

const counterFamilies: Readonly<Record<keyof Counters, CounterFamily>> = {
  cpuMicroseconds: seconds('cpu', 'CPU time used.'),
  throttledPeriods: counter(
    'cpu_throttled_periods',
    'Scheduler periods of 100 ms in which it was throttled at its CPU limit.',
  ),
  throttledMicroseconds: seconds(
    'cpu_throttled',
    'Time for which its threads were throttled at the CPU limit, summed over all cores.',
  ),
  memoryBytes: gauge(
    'memory_bytes',
    'Memory in use, including page cache, as the limit counts it.',
  ),
  memoryPeakBytes: gauge(
    'memory_peak_bytes',
    'Peak memory in use during the last tick, including page cache.',
  ),
  cacheBytes: gauge(
    'memory_cache_bytes',
    'Page cache included in the memory in use; the kernel reclaims most of it when needed.',
  ),
  memoryHits: counter('memory_limit_hits', 'Allocations that hit the memory limit.'),
  oomKills: counter('oom_kills', 'Processes killed by the OOM killer.'),
  readBytes: counter('io_read_bytes', 'Bytes read from disks.'),
  writeBytes: counter('io_written_bytes', 'Bytes written to disks.'),
  reads: counter('io_reads', 'Read operations on disks.'),
  writes: counter('io_writes', 'Write operations on disks.'),
  processes: gauge('processes', 'Processes.'),
  threads: gauge('threads', 'Processes and threads, as the limit counts them.'),
  threadsPeak: gauge('threads_peak', 'Peak number of processes and threads during the last tick.'),
  forksRefused: counter(
    'forks_refused',
    'Forks and thread creations refused at the processes limit.',
  ),
  cpuPressureMicroseconds: waiting('cpu'),
  memoryPressureMicroseconds: waiting('memory'),
  ioPressureMicroseconds: waiting('io'),
};
export const counterRows = Object.entries(counterFamilies) as [keyof Counters, CounterFamily][];

const unitSuffixes: Readonly<Record<QuantityKind, string>> = {
  cpu: '_cores',
  weight: '',
  bytes: '_bytes',
  bytesPerSecond: '_bytes_per_second',
  perSecond: '_per_second',
  count: '',
  duration: '_seconds',
};

interface LimitFamily extends Family {
  /** The number that is one unit of the family: limits on time are in milliseconds. */
  readonly perUnit: number;
}

/** Makes the family of a limit: `memory.limit` → `limit_memory_bytes`, `io.reads` → `limit_io_reads_per_second`. */
function limitFamily({ key, kind, summary }: KeyedAttribute): LimitFamily {
  const stem = key.replace(/\.limit$/, '').replace('.', '_');
  const name = `limit_${stem}${unitSuffixes[kind]}`;
  return { name, type: 'gauge', help: summary, perUnit: kind === 'duration' ? 1000 : 1 };
}
export const limitRows = [...attributes.values()].map(
  (each) => [each.key, limitFamily(each)] as const,
);

function faultRow(key: LimitKey, severity: Severity) {
  const labels = `limit="${key}",severity="${severity}"`;
  return [labels, [key, severity, labels]] as const;
}

/** Every limit and severity that can occur, so that a counter starts at zero and not at its first fault. */
export const faultRows: readonly (readonly [LimitKey, Severity, string])[] = [
  ...new Map(
    limits
      .flatMap((limit) =>
        [...limit.faults, ...(limit.reported ?? [])].map(({ attribute, severity }) =>
          faultRow(`${limit.name}.${attribute}`, severity),
        ),
      )
      .concat(comparable.map(([key]) => faultRow(key, 'observed'))),
  ).values(),
];
export const faultFamily: Family = {
  name: 'faults_total',
  type: 'counter',
  help: 'Times a limit was hit, by limit and severity.',
};

export const mailFamily: Family = {
  name: 'mail_total',
  type: 'counter',
  help: 'Messages handed to sendmail from the jail, by result.',
};
export const mailResults = ['accepted', 'refused'] as const;

export const databaseFamilies: readonly (readonly [Family, keyof DatabaseUse])[] = [
  [
    {
      name: 'database_cpu_seconds_total',
      type: 'counter',
      help: 'CPU time that database servers used for it, since the agent started.',
    },
    'cpuSeconds',
  ],
  [
    { name: 'database_connections', type: 'gauge', help: 'Connections to database servers.' },
    'connections',
  ],
  [
    {
      name: 'database_paused_seconds_total',
      type: 'counter',
      help: 'Time for which its programs were paused for their use of database servers.',
    },
    'pausedSeconds',
  ],
];

const networkFamily = (
  name: string,
  help: string,
  key: keyof NetworkUse,
): readonly [Family, keyof NetworkUse] => [
  { name: `network_${name}_total`, type: 'counter', help },
  key,
];

export const networkFamilies = [
  networkFamily('sent_bytes', 'IP bytes sent to other hosts.', 'sentBytes'),
  networkFamily('received_bytes', 'IP bytes received from other hosts.', 'receivedBytes'),
  networkFamily('sent_packets', 'Packets sent to other hosts.', 'sentPackets'),
  networkFamily('received_packets', 'Packets received from other hosts.', 'receivedPackets'),
  networkFamily('connections_out', 'TCP connections to other hosts.', 'connectionsOut'),
  networkFamily('connections_in', 'TCP connections from other hosts.', 'connectionsIn'),
  networkFamily('local_bytes', 'Bytes sent on loopback.', 'localBytes'),
  networkFamily('held_packets', 'Packets that waited at a limit on the network.', 'heldPackets'),
  networkFamily('lost_packets', 'Packets dropped at a limit on the network.', 'lostPackets'),
];

/** The bytes that web servers sent for a tenant, and whether those are all. */
export interface WebFigures {
  readonly bytes: number;
  readonly isPartial: number;
}

export const webFigures = ({ bytes, gaps }: SentByWeb): WebFigures => ({
  bytes,
  isPartial: gaps.length > 0 ? 1 : 0,
});

export const webFamilies: readonly (readonly [Family, keyof WebFigures])[] = [
  [
    {
      name: 'web_sent_bytes_total',
      type: 'counter',
      help: 'Bytes that web servers sent for its sites, by their access logs.',
    },
    'bytes',
  ],
  [
    {
      name: 'web_sent_partial',
      type: 'gauge',
      help: 'Whether web servers sent more than is counted: 1 or 0.',
    },
    'isPartial',
  ],
];

export const diskFamilies: readonly (readonly [Family, keyof DiskUsage])[] = [
  [
    { name: 'disk_space_bytes', type: 'gauge', help: 'Disk space in use, as the quota counts it.' },
    'spaceBytes',
  ],
  [
    { name: 'disk_files', type: 'gauge', help: 'Files and directories, as the quota counts them.' },
    'files',
  ],
];
