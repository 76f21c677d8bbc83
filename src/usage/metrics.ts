/**
 * The table of metrics. The agent's samples, the history, `usage` and the CSV files derive from it. A new metric is one
 * row here and one counter; the columns of `top` and the families of the metrics page have tables of their own.
 */
import type { Counters, LimitKey, PeakCounter } from '../limits/limit.ts';

export const metricKeys = [
  'cpu',
  'memory',
  'memoryPeak',
  'cache',
  'anonymous',
  'anonymousPeak',
  'read',
  'write',
  'total',
  'reads',
  'writes',
  'operations',
  'threads',
  'threadsPeak',
  'processes',
  'throttled',
  'cpuPressure',
  'memoryPressure',
  'ioPressure',
] as const;
export type MetricKey = (typeof metricKeys)[number];

export type MetricUnit = 'fraction' | 'bytes' | 'bytesPerSecond' | 'perSecond' | 'count';

interface Metric {
  /** The unit; `fraction`: of one core, or of the time, where 1 is all of it. */
  readonly unit: MetricUnit;
  readonly title: string;
  readonly summary: string;
  /** The limit on the metric, if there is one. */
  readonly limit?: LimitKey;
  readonly counter: keyof Counters;
  /** A counter added to it, for a rate. */
  readonly plus?: keyof Counters;
  /** A counter subtracted from it, for a level. */
  readonly minus?: keyof Counters;
  /**
   * The metric whose peak within the tick this is, by the kernel's high-water mark; the sample if there is none. Its
   * maximum is shown as the metric's maximum; it is not listed separately.
   */
  readonly peakOf?: MetricKey;
  /**
   * `rate`: growth of the counter per second, times `scale`; `level`: the current value of the counter.
   */
  readonly kind: 'rate' | 'level';
  readonly scale: number;
}

const microseconds = 1e-6;

const rate = (unit: MetricUnit, counter: keyof Counters, scale = 1) =>
  ({ kind: 'rate', unit, counter, scale }) as const;
const level = (unit: MetricUnit, counter: keyof Counters) =>
  ({ kind: 'level', unit, counter, scale: 1 }) as const;

const peak = (unit: MetricUnit, counter: PeakCounter, of: MetricKey) =>
  ({ ...level(unit, counter), peakOf: of }) as const;

export const metrics: Readonly<Record<MetricKey, Metric>> = {
  cpu: {
    ...rate('fraction', 'cpuMicroseconds', microseconds),
    title: 'CPU',
    summary: 'CPU time used; 1 is one core kept busy.',
    limit: 'cpu.limit',
  },
  memory: {
    ...level('bytes', 'memoryBytes'),
    title: 'memory',
    summary: 'Memory in use, including page cache, as the limit counts it.',
    limit: 'memory.limit',
  },
  memoryPeak: {
    ...peak('bytes', 'memoryPeakBytes', 'memory'),
    title: 'memory peak',
    summary: 'Peak memory in use within a tick, including page cache.',
    limit: 'memory.limit',
  },
  cache: {
    ...level('bytes', 'cacheBytes'),
    title: 'cache',
    summary:
      'Page cache included in the memory in use; the kernel reclaims most of it when needed.',
  },
  anonymous: {
    ...level('bytes', 'memoryBytes'),
    minus: 'cacheBytes',
    title: 'memory without cache',
    summary: 'Memory without page cache: what the kernel cannot reclaim without swap.',
    limit: 'memory.limit',
  },
  anonymousPeak: {
    ...peak('bytes', 'memoryPeakBytes', 'anonymous'),
    // The page cache at the time of the peak is unknown. The cache at the end is subtracted: the kernel may have
    // reclaimed the earlier cache for the peak.
    minus: 'cacheBytes',
    title: 'memory peak without cache',
    summary: 'Peak memory in use within a tick, without the page cache at its end.',
    limit: 'memory.limit',
  },
  read: {
    ...rate('bytesPerSecond', 'readBytes'),
    title: 'read',
    summary: 'Bytes read from disks.',
    limit: 'io.read',
  },
  write: {
    ...rate('bytesPerSecond', 'writeBytes'),
    title: 'write',
    summary: 'Bytes written to disks.',
    limit: 'io.write',
  },
  total: {
    ...rate('bytesPerSecond', 'readBytes'),
    plus: 'writeBytes',
    title: 'read and write',
    summary: 'Bytes read from disks and written to them.',
    limit: 'io.total',
  },
  reads: {
    ...rate('perSecond', 'reads'),
    title: 'reads',
    summary: 'Read operations on disks.',
    limit: 'io.reads',
  },
  writes: {
    ...rate('perSecond', 'writes'),
    title: 'writes',
    summary: 'Write operations on disks.',
    limit: 'io.writes',
  },
  operations: {
    ...rate('perSecond', 'reads'),
    plus: 'writes',
    title: 'reads and writes',
    summary: 'Read and write operations on disks.',
    limit: 'io.operations',
  },
  threads: {
    ...level('count', 'threads'),
    title: 'threads',
    summary: 'Processes and threads, as the limit counts them.',
    limit: 'processes.limit',
  },
  threadsPeak: {
    ...peak('count', 'threadsPeak', 'threads'),
    title: 'threads peak',
    summary: 'Peak number of processes and threads within a tick.',
    limit: 'processes.limit',
  },
  processes: {
    ...level('count', 'processes'),
    title: 'processes',
    summary: 'Processes.',
  },
  throttled: {
    ...rate('fraction', 'throttledMicroseconds', microseconds),
    title: 'throttled',
    summary: 'Time for which its threads were throttled at the CPU limit, summed over all cores.',
  },
  cpuPressure: {
    ...rate('fraction', 'cpuPressureMicroseconds', microseconds),
    title: 'CPU pressure',
    summary: 'Share of the time during which at least one thread waited for a core.',
  },
  memoryPressure: {
    ...rate('fraction', 'memoryPressureMicroseconds', microseconds),
    title: 'memory pressure',
    summary: 'Share of the time during which at least one thread waited for memory.',
  },
  ioPressure: {
    ...rate('fraction', 'ioPressureMicroseconds', microseconds),
    title: 'I/O pressure',
    summary: 'Share of the time during which at least one thread waited for a disk.',
  },
};

/** Metrics that are not peaks of another one. */
export const sampledKeys: readonly MetricKey[] = metricKeys.filter(
  (key) => metrics[key].peakOf === undefined,
);

/** The peak metric of each metric that has one. */
export const peakKeys: ReadonlyMap<MetricKey, MetricKey> = new Map(
  metricKeys.flatMap((key) => {
    const of = metrics[key].peakOf;
    return of === undefined ? [] : [[of, key] as const];
  }),
);
