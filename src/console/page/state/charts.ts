/** The charts of a member: which metrics and limits are in each, and which incidents it marks. */
import type { LimitKey } from '../../../limits/limit.ts';
import { metrics, type MetricKey } from '../../../usage/metrics.ts';
import type { SeriesColumnsResponse } from '../../../agent/api/report-api.ts';
import type { LimitNumbers } from '../../../agent/api/api.ts';

export interface ChartKind {
  readonly key: string;
  /** The lines; the first is the one that the limit is on. */
  readonly lines: readonly MetricKey[];
  /** Whether it is shown only if there is a limit. */
  readonly onlyLimited?: true;
  /** Whether it is shown only if something of it is known. */
  readonly onlyKnown?: true;
}

const kinds = [
  { key: 'cpu', lines: ['cpu'] },
  { key: 'memory', lines: ['anonymous', 'memory'] },
  { key: 'read', lines: ['read'] },
  { key: 'write', lines: ['write'] },
  { key: 'total', lines: ['total'], onlyLimited: true },
  { key: 'reads', lines: ['reads'], onlyLimited: true },
  { key: 'writes', lines: ['writes'], onlyLimited: true },
  { key: 'operations', lines: ['operations'], onlyLimited: true },
  { key: 'processes', lines: ['threads'] },
  { key: 'database', lines: ['databaseCpu', 'databasePaused'], onlyKnown: true },
  { key: 'databaseConnections', lines: ['databaseConnections'], onlyKnown: true },
  { key: 'network', lines: ['sent', 'received'], onlyKnown: true },
  { key: 'connections', lines: ['connectionsOut', 'connectionsIn'], onlyKnown: true },
  { key: 'pressure', lines: ['cpuPressure', 'memoryPressure', 'ioPressure'] },
] as const satisfies readonly ChartKind[];

export type ChartKey = (typeof kinds)[number]['key'];
export type LineKey = (typeof kinds)[number]['lines'][number];

export interface Chart {
  readonly key: ChartKey;
  readonly lines: readonly LineKey[];
  readonly onlyKnown?: true;
}

/** Returns the charts that a member with these limits can have. */
export const chartsFor = (limits: LimitNumbers): readonly Chart[] =>
  kinds.filter((kind) => {
    const limit = metrics[kind.lines[0]].limit;
    return !('onlyLimited' in kind) || (limit !== undefined && limits[limit] !== undefined);
  });

/** Returns those of which something is measured here: only cgroup v2 has pressure. */
export const measuredCharts = (
  charts: readonly Chart[],
  { metrics: measured }: SeriesColumnsResponse,
): readonly Chart[] =>
  charts.flatMap((chart) => {
    const lines = chart.lines.filter((line) => measured[line] !== undefined);
    const isKnown = lines.some((line) => measured[line]?.average.some((each) => each !== null));
    return lines.length === 0 || (chart.onlyKnown === true && !isKnown)
      ? []
      : [{ ...chart, lines }];
  });

/** Returns the chart that marks the incidents of a limit; the first one marks what has none of its own. */
export function chartOfLimit(charts: readonly Chart[], limit: LimitKey): Chart | undefined {
  const own = charts.find(({ lines }) => lines.some((line) => metrics[line].limit === limit));
  const [group] = limit.split('.');
  return own ?? charts.find(({ key }) => key === group) ?? charts[0];
}
