/**
 * The use of one tenant in a period, by the resources of an LVE.
 *
 * CPU is percent of one core, memory bytes, IO bytes a second, reads and writes together. If each has its own limit
 * too, the share is of whichever is nearest to its limit. A value that is not measured is absent, and never 0.
 */
import type { UsageResponse, UsageRow } from '../../agent/api/usage-api.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import { lveLimits, type LveLimits } from './lve-info.ts';

export const lveKeys = ['cpu', 'ep', 'vmem', 'pmem', 'nproc', 'io', 'iops'] as const;
export type LveKey = (typeof lveKeys)[number];

/** The use of one tenant, and whether refused requests were counted. */
export interface LveUse {
  readonly usage: UsageRow;
  readonly entriesCounted: boolean;
}

/** The tenants of a response by uid, or its resellers, each with what the response says about all of them. */
export const lveUses = (
  { rows, entriesCounted }: UsageResponse,
  wanted: 'tenant' | 'reseller' = 'tenant',
): readonly LveUse[] =>
  rows
    .filter(({ kind }) => kind === wanted)
    .toSorted((a, b) => a.uid - b.uid)
    .map((usage) => ({ usage, entriesCounted: entriesCounted === true }));

interface Resource {
  readonly parts: readonly Part[];
  /** Further limits of the resource, each bounding a part separately. */
  readonly alsoBy?: readonly Part[];
  readonly scale: number;
  readonly limit: (limits: LveLimits) => number;
}

/** A metric that the usage consists of, and the limit that bounds it. */
interface Part {
  readonly metric: MetricKey;
  readonly limit: LimitKey;
}

const part = (metric: MetricKey, limit: LimitKey): Part => ({ metric, limit });

const resources: Readonly<Record<LveKey, Resource>> = {
  cpu: { parts: [part('cpu', 'cpu.limit')], scale: 100, limit: ({ speed }) => speed },
  // Web servers report the requests that they refuse, and not how many they serve.
  ep: { parts: [], scale: 1, limit: ({ ep }) => ep },
  // No kernel limits the address space of a tenant.
  vmem: { parts: [], scale: 1, limit: () => 0 },
  pmem: {
    parts: [part('memory', 'memory.limit')],
    scale: 1,
    limit: ({ memoryBytes }) => memoryBytes,
  },
  nproc: { parts: [part('threads', 'processes.limit')], scale: 1, limit: ({ nproc }) => nproc },
  io: {
    parts: [part('total', 'io.total')],
    alsoBy: [part('read', 'io.read'), part('write', 'io.write')],
    scale: 1,
    limit: ({ ioBytesPerSecond }) => ioBytesPerSecond,
  },
  iops: {
    parts: [part('operations', 'io.operations')],
    alsoBy: [part('reads', 'io.reads'), part('writes', 'io.writes')],
    scale: 1,
    limit: ({ iops }) => iops,
  },
};

type Statistic = 'average' | 'max';

const measured = ({ usage }: LveUse, parts: readonly Part[], statistic: Statistic) =>
  parts.flatMap(({ metric }) => usage.metrics[metric]?.[statistic] ?? []);

export function averageUse(key: LveKey, use: LveUse): number | undefined {
  const { parts, scale } = resources[key];
  const values = measured(use, parts, 'average');
  if (values.length === 0) return undefined;
  return values.reduce((sum, value) => sum + value, 0) * scale;
}

export function maximumUse(key: LveKey, use: LveUse): number | undefined {
  const { parts, scale } = resources[key];
  const values = measured(use, parts, 'max');
  return values.length === 0 ? undefined : Math.max(...values) * scale;
}

/** The use of database servers by one tenant; what is unknown is absent. */
export interface DatabaseAverages {
  /** Percent of one core. */
  readonly cpu?: number;
  readonly connections?: number;
  /** Percent of one core; 0 is none. */
  readonly cpuLimit: number;
  /** Percent of the limit that the CPU is. */
  readonly share?: number;
  readonly faults: number;
}

export function databaseAverages({ usage }: LveUse): DatabaseAverages {
  const { databaseCpu, databaseConnections } = usage.metrics;
  const cpuLimit = (usage.limits['database.cpu'] ?? 0) * 100;
  const cpu = databaseCpu && databaseCpu.average * 100;
  return {
    ...(cpu !== undefined && { cpu, ...(cpuLimit > 0 && { share: (cpu / cpuLimit) * 100 }) }),
    ...(databaseConnections && { connections: databaseConnections.average }),
    cpuLimit,
    faults: usage.faults['database.cpu'] ?? 0,
  };
}

/** Returns the percentage of the limit; undefined if there is none. */
export function shareOfLimit(
  key: LveKey,
  { usage }: LveUse,
  statistic: Statistic,
): number | undefined {
  const { parts, alsoBy = [] } = resources[key];
  const shares = [...parts, ...alsoBy].flatMap(({ metric, limit }) => {
    const value = usage.metrics[metric]?.[statistic];
    const bound = usage.limits[limit];
    return value === undefined || bound === undefined || bound <= 0 ? [] : [(value / bound) * 100];
  });
  return shares.length === 0 ? undefined : Math.max(...shares);
}

/** Returns the limit; 0 is none. */
export const limitOf = (key: LveKey, { usage }: LveUse): number =>
  resources[key].limit(lveLimits(usage.limits));

export function faultsOf(key: LveKey, use: LveUse): number | undefined {
  if (key === 'ep') return refusedRequests(use);
  const { parts, alsoBy = [] } = resources[key];
  if (parts.length === 0) return undefined;
  return [...parts, ...alsoBy].reduce((sum, each) => sum + (use.usage.faults[each.limit] ?? 0), 0);
}

/** Returns the number of requests refused above the limit; undefined while no web server reports them. */
function refusedRequests({ usage, entriesCounted }: LveUse): number | undefined {
  return usage.faults['entries.limit'] ?? (entriesCounted ? 0 : undefined);
}

export const allFaults = (use: LveUse): number =>
  lveKeys.reduce((sum, key) => sum + (faultsOf(key, use) ?? 0), 0);
