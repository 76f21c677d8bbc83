/**
 * Usage over a period, by resource: the metrics of the resource, and the order of tenants by it.
 * Pure.
 */
import type { Distribution, UsageRow } from '../../../agent/api/usage-api.ts';
import { metrics, type MetricKey } from '../../../usage/metrics.ts';
import { percent, quantity, sumOfCounts } from '../../shared/format.ts';

export const usageSorts = [
  'cpu',
  'memory',
  'io',
  'iops',
  'processes',
  'database',
  'network',
  'faults',
] as const;
export type UsageSort = (typeof usageSorts)[number];

/** Reads and writes side by side, then their sum, which has a limit of its own. */
export const metricsOf: Readonly<Record<UsageSort, readonly MetricKey[]>> = {
  cpu: ['cpu'],
  memory: ['memory'],
  io: ['read', 'write', 'total'],
  iops: ['reads', 'writes', 'operations'],
  processes: ['threads'],
  database: ['databaseCpu', 'databaseConnections', 'databasePaused'],
  network: ['sent', 'received', 'connectionsOut', 'lost'],
  faults: [],
};

/** The metrics of the order, where others of the resource are in other units. */
const weighed: Readonly<Partial<Record<UsageSort, readonly MetricKey[]>>> = {
  database: ['databaseCpu'],
  network: ['sent', 'received'],
};

function weigh(row: UsageRow, by: UsageSort): number {
  if (by === 'faults') return sumOfCounts(row.faults);
  return (weighed[by] ?? metricsOf[by]).reduce(
    (sum, key) => sum + (row.metrics[key]?.average ?? 0),
    0,
  );
}

/** Sorts rows: largest average first, names ascending. */
export function sortUsage(rows: readonly UsageRow[], by: UsageSort): readonly UsageRow[] {
  return rows.toSorted((a, b) => weigh(b, by) - weigh(a, by) || (a.name < b.name ? -1 : 1));
}

/**
 * Returns the cells of one metric: `average`, `p95`, `max`, the limit, and the average as a share
 * of it.
 */
export function metricCells({ metrics: measured, limits }: UsageRow, key: MetricKey): string[] {
  const { unit, limit: limitKey } = metrics[key];
  const distribution: Partial<Distribution> = measured[key] ?? {};
  const { average, p95, max } = distribution;
  const limit = limitKey === undefined ? undefined : limits[limitKey];
  const share = limit === undefined || average === undefined ? undefined : average / limit;
  return [
    quantity(unit, average),
    quantity(unit, p95),
    quantity(unit, max),
    limitKey !== undefined && limit === undefined ? '∞' : quantity(unit, limit),
    share === undefined || !Number.isFinite(share) ? '-' : percent(share),
  ];
}
