/** `bulkhead usage --csv`: every metric, limit and fault, one line per tenant. */
import type { UsageResponse, UsageRow } from '../../../agent/api/usage-api.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import { metricWords } from '../../../usage/chart/metric-words.ts';
import { metrics, sampledKeys, type MetricKey, type MetricUnit } from '../../../usage/metrics.ts';
import { csvText, type CsvField } from '../../../../packages/base/csv.ts';
import { isoTime, limitKeys, sumOfCounts } from '../../shared/format.ts';

const unitNames: Readonly<Record<MetricUnit, string>> = {
  fraction: 'share',
  bytes: 'bytes',
  bytesPerSecond: 'bytes/s',
  perSecond: '1/s',
  count: 'count',
};
const unitOf = (key: MetricKey) =>
  metricWords[key].isOfCore === true ? 'cores' : unitNames[metrics[key].unit];

const parts = ['average', 'p95', 'max'] as const;
/** Limits in the units of the metrics that they limit; two metrics may share one. */
const unitOfLimit: ReadonlyMap<LimitKey, string> = new Map(
  sampledKeys.flatMap((key) => {
    const { limit } = metrics[key];
    return limit === undefined ? [] : [[limit, unitOf(key)] as const];
  }),
);

export function usageCsv({ from, to, rows }: UsageResponse): string {
  return csvText([header(), ...rows.map((row) => fields(row, from, to))]);
}

const header = (): readonly CsvField[] => [
  'from',
  'to',
  'name',
  'uid',
  'kind',
  'reseller',
  'package',
  ...sampledKeys.flatMap((key) => parts.map((part) => `${key} ${part} (${unitOf(key)})`)),
  ...[...unitOfLimit].map(([limit, unit]) => `${limit} (${unit})`),
  'faults',
  ...limitKeys().map((key) => `${key} faults`),
];

const fields = (row: UsageRow, from: number, to: number): readonly CsvField[] => [
  isoTime(from),
  isoTime(to),
  row.name,
  row.uid,
  row.kind,
  row.reseller,
  row.package,
  ...sampledKeys.flatMap((key) => parts.map((part) => row.metrics[key]?.[part])),
  ...[...unitOfLimit.keys()].map((limit) => row.limits[limit]),
  sumOfCounts(row.faults),
  ...limitKeys().map((key) => row.faults[key] ?? 0),
];
