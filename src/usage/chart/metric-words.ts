/** The words for metrics, apart from the table: the page of the console has its own, in each language. */
import type { MetricKey } from '../metrics.ts';

interface MetricWords {
  readonly title: string;
  readonly summary: string;
  /** Whether its unit is a share of one core, not of the time. */
  readonly isOfCore?: true;
}

export const metricWords: Readonly<Record<MetricKey, MetricWords>> = {
  cpu: {
    title: 'CPU',
    summary: 'CPU time used; 1 is one core kept busy.',
    isOfCore: true,
  },
  memory: {
    title: 'memory',
    summary: 'Memory in use, including page cache, as the limit counts it.',
  },
  memoryPeak: {
    title: 'memory peak',
    summary: 'Peak memory in use within a tick, including page cache.',
  },
  cache: {
    title: 'cache',
    summary:
      'Page cache included in the memory in use; the kernel reclaims most of it when needed.',
  },
  anonymous: {
    title: 'memory without cache',
    summary: 'Memory without page cache: what the kernel cannot reclaim without swap.',
  },
  anonymousPeak: {
    title: 'memory peak without cache',
    summary: 'Peak memory in use within a tick, without the page cache at its end.',
  },
  read: {
    title: 'read',
    summary: 'Bytes read from disks.',
  },
  write: {
    title: 'write',
    summary: 'Bytes written to disks.',
  },
  total: {
    title: 'read and write',
    summary: 'Bytes read from disks and written to them.',
  },
  reads: {
    title: 'reads',
    summary: 'Read operations on disks.',
  },
  writes: {
    title: 'writes',
    summary: 'Write operations on disks.',
  },
  operations: {
    title: 'reads and writes',
    summary: 'Read and write operations on disks.',
  },
  threads: {
    title: 'threads',
    summary: 'Processes and threads, as the limit counts them.',
  },
  threadsPeak: {
    title: 'threads peak',
    summary: 'Peak number of processes and threads within a tick.',
  },
  processes: {
    title: 'processes',
    summary: 'Processes.',
  },
  throttled: {
    title: 'throttled',
    summary: 'Time for which its threads were throttled at the CPU limit, summed over all cores.',
    isOfCore: true,
  },
  cpuPressure: {
    title: 'CPU pressure',
    summary: 'Share of the time during which at least one thread waited for a core.',
  },
  memoryPressure: {
    title: 'memory pressure',
    summary: 'Share of the time during which at least one thread waited for memory.',
  },
  ioPressure: {
    title: 'I/O pressure',
    summary: 'Share of the time during which at least one thread waited for a disk.',
  },
  databaseCpu: {
    title: 'database CPU',
    summary: 'CPU time that database servers used for it; 1 is one core kept busy.',
    isOfCore: true,
  },
  databaseConnections: {
    title: 'database connections',
    summary: 'Connections to database servers.',
  },
  databasePaused: {
    title: 'paused for databases',
    summary: 'Share of the time for which its processes were paused at the limit on database CPU.',
  },
  sent: { title: 'sent', summary: 'IP bytes sent to other hosts, over sockets of its own.' },
  received: {
    title: 'received',
    summary: 'IP bytes received from other hosts, over sockets of its own.',
  },
  packetsSent: { title: 'packets sent', summary: 'Packets sent to other hosts.' },
  packetsReceived: { title: 'packets received', summary: 'Packets received from other hosts.' },
  connectionsOut: { title: 'connections out', summary: 'TCP connections to other hosts.' },
  connectionsIn: { title: 'connections in', summary: 'TCP connections from other hosts.' },
  localSent: { title: 'sent locally', summary: 'Bytes sent on loopback, which has no limit.' },
  held: { title: 'packets held', summary: 'Packets that waited at the limit on sending.' },
  lost: { title: 'packets lost', summary: 'Packets dropped at a limit on the network.' },
};
