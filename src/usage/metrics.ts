/**
 * The table of metrics. The agent's samples, the history, `usage` and the CSV files derive from it. A new metric is one
 * row here, one in `chart/metric-words.ts` and one counter; the columns of `top` and the families of the metrics page have tables of their own.
 */
import type { Counters, LimitKey, PeakCounter } from '../limits/limit.ts';
import type { PartKey } from './part-keys.ts';

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
  'databaseCpu',
  'databaseConnections',
  'databasePaused',
  'sent',
  'received',
  'packetsSent',
  'packetsReceived',
  'connectionsOut',
  'connectionsIn',
  'localSent',
  'held',
  'lost',
] as const;
export type MetricKey = (typeof metricKeys)[number];

export type KernelKey = Exclude<MetricKey, PartKey>;

/** The use of one member in a tick, by metric; what is unknown is absent. */
export type Usage = Readonly<Record<KernelKey, number> & Partial<Record<PartKey, number>>>;

export type MetricUnit = 'fraction' | 'bytes' | 'bytesPerSecond' | 'perSecond' | 'count';

interface Metric {
  /** The unit; `fraction`: of one core, or of the time, where 1 is all of it. */
  readonly unit: MetricUnit;
  /** The limit on the metric, if there is one. */
  readonly limit?: LimitKey;
  /**
   * The metric whose peak within the tick this is, by the kernel's high-water mark; the sample if there is none. Its
   * maximum is shown as the metric's maximum; it is not listed separately.
   */
  readonly peakOf?: MetricKey;
}

/** A metric that the kernel counts. */
interface KernelMetric extends Metric {
  readonly counter: keyof Counters;
  /** A counter added to it, for a rate. */
  readonly plus?: keyof Counters;
  /** A counter subtracted from it, for a level. */
  readonly minus?: keyof Counters;
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

export const metrics: Readonly<Record<KernelKey, KernelMetric> & Record<PartKey, Metric>> = {
  cpu: { ...rate('fraction', 'cpuMicroseconds', microseconds), limit: 'cpu.limit' },
  memory: { ...level('bytes', 'memoryBytes'), limit: 'memory.limit' },
  memoryPeak: { ...peak('bytes', 'memoryPeakBytes', 'memory'), limit: 'memory.limit' },
  cache: level('bytes', 'cacheBytes'),
  anonymous: { ...level('bytes', 'memoryBytes'), minus: 'cacheBytes', limit: 'memory.limit' },
  anonymousPeak: {
    ...peak('bytes', 'memoryPeakBytes', 'anonymous'),
    // The page cache at the time of the peak is unknown. The cache at the end is subtracted: the kernel may have
    // reclaimed the earlier cache for the peak.
    minus: 'cacheBytes',
    limit: 'memory.limit',
  },
  read: { ...rate('bytesPerSecond', 'readBytes'), limit: 'io.read' },
  write: { ...rate('bytesPerSecond', 'writeBytes'), limit: 'io.write' },
  total: { ...rate('bytesPerSecond', 'readBytes'), plus: 'writeBytes', limit: 'io.total' },
  reads: { ...rate('perSecond', 'reads'), limit: 'io.reads' },
  writes: { ...rate('perSecond', 'writes'), limit: 'io.writes' },
  operations: { ...rate('perSecond', 'reads'), plus: 'writes', limit: 'io.operations' },
  threads: { ...level('count', 'threads'), limit: 'processes.limit' },
  threadsPeak: { ...peak('count', 'threadsPeak', 'threads'), limit: 'processes.limit' },
  processes: level('count', 'processes'),
  throttled: rate('fraction', 'throttledMicroseconds', microseconds),
  cpuPressure: rate('fraction', 'cpuPressureMicroseconds', microseconds),
  memoryPressure: rate('fraction', 'memoryPressureMicroseconds', microseconds),
  ioPressure: rate('fraction', 'ioPressureMicroseconds', microseconds),
  databaseCpu: { unit: 'fraction', limit: 'database.cpu' },
  databaseConnections: { unit: 'count', limit: 'database.connections' },
  databasePaused: { unit: 'fraction' },
  sent: { unit: 'bytesPerSecond', limit: 'network.send' },
  received: { unit: 'bytesPerSecond', limit: 'network.receive' },
  packetsSent: { unit: 'perSecond' },
  packetsReceived: { unit: 'perSecond' },
  connectionsOut: { unit: 'perSecond', limit: 'network.connections' },
  connectionsIn: { unit: 'perSecond' },
  localSent: { unit: 'bytesPerSecond' },
  held: { unit: 'perSecond' },
  lost: { unit: 'perSecond' },
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
