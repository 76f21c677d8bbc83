/**
 * How the use of a limit is measured, when the limit counts as enforced, and the words that prove it.
 *
 * That needs two things: use stayed within the limit, and the load did press against it. A limit that was never reached
 * proves nothing.
 */
import { limitAttribute } from '../../src/limits/limits.ts';
import type { Counters, LimitKey } from '../../src/limits/limit.ts';
import { formatQuantity, type Quantity } from '../../packages/base/quantity.ts';
import type { Peak } from './peaks.ts';
import { formatDuration } from '../../packages/base/duration.ts';
import { shortBytes } from '../../packages/base/bytes.ts';
import { count } from '../../packages/base/list.ts';
import { commonUse, type SampleSeries } from './sample.ts';

/** Numbers in the unit of the limit: cores, bytes, processes, bytes or operations a second. */
export interface GaugeReading {
  readonly limit: number;
  readonly use: number;
  /** The value that decides the verdict: the mean of the whole time, or the peak. */
  readonly measured: number;
  /** How often the limit was hit, as the kernel counted it; for a disk, seconds at the limit. */
  readonly hits: number;
  /** The number of processes that were OOM-killed for it. */
  readonly killed?: number;
  /** The CPU seconds that the sharers of a weight got while all of them ran. */
  readonly sharedSeconds?: number;
  /** The cores that the sharers got together, on average. */
  readonly sharedCores?: number;
  /** The value without the limit, if that was measured. */
  readonly alone: number | undefined;
}

/** The cgroup's own samples, and the samples of the cgroup that it shares with others. */
interface Sources {
  readonly own: SampleSeries;
  readonly shared: SampleSeries;
  readonly peak: (peak: Peak) => number | undefined;
  readonly limit: number;
}

/** A value in the words of the limit. */
type Print = (value: number) => string;

interface Gauge {
  readonly read: (
    sources: Sources,
  ) => Pick<GaugeReading, 'use' | 'measured' | 'hits' | 'killed' | 'sharedSeconds' | 'sharedCores'>;
  readonly within: (reading: GaugeReading) => boolean;
  readonly pressed: (reading: GaugeReading) => boolean;
  /** Returns why it can be judged neither way, if the host left the load too little. */
  readonly unjudged?: (reading: GaugeReading) => string | undefined;
  /** Whether no load on this host can press; absent: never. */
  readonly isOutOfReach?: (reading: GaugeReading) => boolean;
  /** Describes how often it was hit, in a few words. */
  readonly hits: (reading: GaugeReading, print: Print) => string;
  /** Describes the measured numbers as a sentence. */
  readonly proof: (reading: GaugeReading, limit: string, print: Print) => string;
}

export type GaugeName = 'cpu' | 'share' | 'memory' | 'processes' | 'disk';

/** The tolerance for rates: scheduling and the first moments are not exact. */
const rateTolerance = 1.1;
/** The tolerance for memory: the kernel lets some of its own allocations pass. */
const memoryTolerance = 1.02;
const shareTolerance = 0.1;
/** The number of periods of 100 ms that nothing throttles by accident. */
const fewestPeriods = 10;
/** The CPU time over which the scheduler has shared out what two tenants want. */
const fewestSharedSeconds = 0.5;
/** The cores that both must get, of 0.4 that they may use: below that, something else decides what each gets. */
const fewestSharedCores = 0.15;
/** The part of its limit that a pressed disk gives for some seconds, while it could give more. */
const pressedRatio = 0.8;
const fewestSeconds = 3;
const spareRatio = 1.25;

const percent = (value: number) => `${(value * 100).toFixed(1)}%`;
const times = (count: number) => `${count} ${count === 1 ? 'time' : 'times'}`;
const processCount = (number: number) => count(number, 'process', 'processes');
const forkCount = (count: number) => `${count} ${count === 1 ? 'fork' : 'forks'}`;

const cpu: Gauge = {
  read: ({ own }) => ({
    use: own.recentRate('cpuMicroseconds') / 1e6,
    measured: own.rate('cpuMicroseconds') / 1e6,
    hits: own.growth('throttledPeriods'),
  }),
  within: ({ measured, limit }) => measured <= limit * rateTolerance,
  pressed: ({ hits }) => hits >= fewestPeriods,
  hits: ({ hits }) => `slowed it ${times(hits)}`,
  proof: ({ measured, hits }, limit) =>
    `used ${percent(measured)} of a core, limit ${limit}; throttled ${times(hits)}`,
};

/** The part of the time that two tenants had together, under a reseller that throttled both. */
const share: Gauge = {
  read({ own, shared }) {
    const recent = (series: SampleSeries) => series.recentRate('cpuMicroseconds');
    const common = commonUse(own, shared);
    return {
      use: recent(own) / (recent(shared) || Infinity),
      measured: common.own / (common.shared || Infinity),
      hits: shared.growth('throttledPeriods'),
      sharedSeconds: common.shared / 1e6,
      sharedCores: shared.rate('cpuMicroseconds') / 1e6,
    };
  },
  unjudged: ({ hits, sharedSeconds = 0, sharedCores = 0 }) =>
    hits < fewestPeriods || sharedSeconds < fewestSharedSeconds || sharedCores < fewestSharedCores
      ? `could not be judged: the host is busy; both got ${sharedSeconds.toFixed(2)} s of CPU while both ran, ${percent(sharedCores)} of a core, and were throttled ${times(hits)}`
      : undefined,
  within: ({ measured, limit }) => Math.abs(measured - limit) <= shareTolerance,
  pressed: ({ hits }) => hits >= fewestPeriods,
  hits: () => 'shared out what both got',
  proof: ({ measured }, limit) =>
    `got ${percent(measured)} of what both got; its weight entitles it to ${limit}`,
};

/**
 * Measures a memory limit. The kernel stalls a tenant again and again to reclaim memory, and kills a process if nothing
 * is left to reclaim.
 */
const memory: Gauge = {
  read: ({ own, peak }) => ({
    use: own.now('memoryBytes'),
    measured: peak('memory') ?? own.highest('memoryBytes'),
    hits: Math.max(own.growth('memoryHits'), own.growth('oomKills')),
    killed: own.growth('oomKills'),
  }),
  within: ({ measured, limit }) => measured <= limit * memoryTolerance,
  pressed: ({ hits }) => hits > 0,
  hits: ({ hits, killed = 0 }) =>
    killed > 0 ? `killed ${processCount(killed)}` : `stopped it ${times(hits)}`,
  proof: ({ measured, hits, killed = 0 }, limit) =>
    `peak ${shortBytes(measured)} of ${limit}; stopped ${times(hits)}, ${processCount(killed)} killed`,
};

const processes: Gauge = {
  read: ({ own, peak }) => ({
    use: own.now('processes'),
    measured: peak('pids') ?? own.highest('processes'),
    hits: own.growth('forksRefused'),
  }),
  within: ({ measured, limit }) => measured <= limit,
  pressed: ({ hits }) => hits > 0,
  hits: ({ hits }) => `refused ${forkCount(hits)}`,
  proof: ({ measured, hits }, limit) =>
    `peak ${measured} of ${limit}; the kernel refused ${forkCount(hits)}`,
};

/**
 * Measures a disk limit. The kernel does not count how often it delays a disk, so the disk's speed without limits is
 * shown.
 */
const disk = (counter: keyof Counters): Gauge => ({
  read: ({ own, limit }) => ({
    use: own.recentRate(counter),
    measured: own.rate(counter),
    hits: own.secondsAbove(counter, limit * pressedRatio),
  }),
  within: ({ measured, limit }) => measured <= limit * rateTolerance,
  pressed: ({ hits, limit, alone = 0 }) => hits >= fewestSeconds && alone >= limit * spareRatio,
  isOutOfReach: ({ limit, alone = 0 }) => alone < limit * spareRatio,
  hits: ({ alone = 0 }, print) => `slowed it from ${print(alone)}`,
  proof: ({ measured, alone = 0 }, limit, print) =>
    `${print(measured)}, limit ${limit}; without it the disk gave ${print(alone)}`,
});

const diskCounters: Readonly<Record<string, keyof Counters>> = {
  'io.read': 'readBytes',
  'io.write': 'writeBytes',
  'io.reads': 'reads',
  'io.writes': 'writes',
};

export function gaugeOf(name: GaugeName, key: LimitKey): Gauge {
  if (name !== 'disk') return { cpu, share, memory, processes }[name];
  const counter = diskCounters[key];
  if (counter === undefined) throw new Error(`"${key}" is not measured on a disk`);
  return disk(counter);
}

/** Formats a measured value, to about three digits. */
export function formatUse(key: LimitKey, value: number): string {
  switch (limitAttribute(key).kind) {
    case 'cpu':
    case 'weight':
      return percent(value);
    case 'bytes':
      return shortBytes(value);
    case 'bytesPerSecond':
      return `${shortBytes(value)}/s`;
    case 'perSecond':
      return `${Math.round(value)}/s`;
    case 'count':
      return String(value);
    case 'duration':
      return formatDuration(value);
  }
}

/** Formats a limit as the policy writes it; a weight as its share. */
export function formatGaugeLimit(name: GaugeName, key: LimitKey, value: number): string {
  if (name === 'share') return `${Math.round(value * 100)}%`;
  return formatQuantity(limitAttribute(key).kind, value as Quantity);
}
