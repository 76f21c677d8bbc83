/** Use beside limit, as tables and tiles show it: each measure with the limit that is nearest. */
import type { LimitKey } from '../../../limits/limit.ts';
import { metrics, type MetricKey } from '../../../usage/metrics.ts';
import { numbers } from './language.ts';
import type { LiveMember } from './live.ts';

/** Metrics of a measure; the one that is nearest to its limit is shown. */
export const measured = {
  cpu: ['cpu'],
  // The kernel gives page cache back when memory is needed: it is not what a tenant runs out of.
  memory: ['anonymous'],
  disk: ['total', 'read', 'write'],
  processes: ['threads'],
  databases: ['databaseCpu', 'databaseConnections'],
  network: ['sent', 'received', 'connectionsOut'],
} as const satisfies Readonly<Record<string, readonly MetricKey[]>>;

export type MeasureKey = keyof typeof measured;
export const measureKeys = Object.keys(measured) as readonly MeasureKey[];

export interface Measure {
  readonly metric: MetricKey;
  /** Not a number if it is unknown. */
  readonly used: number;
  readonly limitKey?: LimitKey;
  readonly limit?: number;
  /** Used divided by the limit; absent if there is none, or if it is unknown. */
  readonly share?: number;
}

export function measure(member: LiveMember, key: MeasureKey): Measure {
  const all = measured[key].map((metric) => measureMetric(member, metric));
  return all.reduce((nearest, each) =>
    (each.share ?? -1) > (nearest.share ?? -1) ? each : nearest,
  );
}

export function measureMetric(member: LiveMember, metric: MetricKey): Measure {
  const used = member.usage(metric);
  const limitKey = metrics[metric].limit;
  const limit = limitKey === undefined ? undefined : member.who.limits[limitKey];
  if (limitKey === undefined || limit === undefined || limit <= 0) return { metric, used };
  if (Number.isNaN(used)) return { metric, used, limitKey, limit };
  return { metric, used, limitKey, limit, share: used / limit };
}

/** Returns the highest share of a limit that a member uses. */
export const highestShare = (member: LiveMember): number =>
  Math.max(...measureKeys.map((key) => measure(member, key).share ?? 0));

/** Returns a value of a metric in its unit; a dash if it is not a number. */
export function metricText(metric: MetricKey, value: number): string {
  if (Number.isNaN(value)) return '–';
  const { number, bytes, rate, percent } = numbers.value;
  switch (metrics[metric].unit) {
    case 'fraction':
      return percent(value);
    case 'bytes':
      return bytes(value);
    case 'bytesPerSecond':
      return rate(value);
    case 'perSecond':
      return `${number(value)}/s`;
    case 'count':
      return number(value);
  }
}
