/**
 * A window of the history → series of remote write. They have names of their own, so that a host which is scraped too is
 * never counted twice:
 *
 *     bulkhead_history_tenant_cpu_cores{host="web-017",tenant="alice",uid="1001"}   the average of five minutes
 *     bulkhead_history_tenant_faults{…,limit="memory.limit"}                        faults in the five minutes
 *     bulkhead_history_reseller_cpu_cores{host="web-017",reseller="acme",uid="1000"} the average of a minute
 *     bulkhead_history_host_cpu_cores{host="web-017"}                               the same, of all tenants together
 *
 * A sample has the time at which its part ended.
 */
import type {
  HistoryMinutes,
  HistoryTenant,
  HistoryWindowResponse,
} from '../../agent/history/history-api.ts';
import { pushedMetrics, type PushedMetric } from '../../usage/push/window.ts';
import type { Sample, TimeSeries } from './remote-write.ts';

/** The name of each metric, with its unit. */
export const metricNames: Readonly<Record<PushedMetric, string>> = {
  cpu: 'cpu_cores',
  throttled: 'cpu_throttled_cores',
  memory: 'memory_bytes',
  read: 'io_read_bytes_per_second',
  write: 'io_written_bytes_per_second',
  processes: 'processes',
  sent: 'network_sent_bytes_per_second',
  received: 'network_received_bytes_per_second',
};

/** Each name of a series is made once: a request has thousands of series. */
const seriesNames = (kind: 'host' | 'reseller' | 'tenant') =>
  pushedMetrics.map((key) => ({ key, name: `bulkhead_history_${kind}_${metricNames[key]}` }));
const hostSeries = seriesNames('host');
const resellerSeries = seriesNames('reseller');
const tenantSeries = seriesNames('tenant');

/** The windows that were never pushed: those that became too old, and those that the server refused. */
export interface Dropped {
  readonly old: number;
  readonly refused: number;
}

export function windowSeries(
  { host, from, to, minutes, tenants }: HistoryWindowResponse,
  dropped: Dropped,
): readonly TimeSeries[] {
  const all: TimeSeries[] = [];
  for (const each of minutes) addMinutes(all, each, host, from, to);
  for (const each of tenants) addTenant(all, each, host, to);
  all.push(...droppedSeries(dropped, host, to));
  return all;
}

function addMinutes(
  all: TimeSeries[],
  { reseller, uid, seconds, metrics }: HistoryMinutes,
  host: string,
  from: number,
  to: number,
): void {
  const labels = reseller === undefined ? { host } : { host, reseller, uid: `${uid}` };
  const length = (to - from) / seconds.length;
  for (const { key, name } of reseller === undefined ? hostSeries : resellerSeries) {
    const samples = (metrics[key] ?? []).flatMap((value, minute): readonly Sample[] =>
      value === null
        ? []
        : [{ at: Math.round(from + (minute + 1) * length), value: coarse(value) }],
    );
    if (samples.length > 0) all.push({ name, labels, samples });
  }
}

function addTenant(
  all: TimeSeries[],
  { name: tenant, uid, reseller = '', metrics, faults }: HistoryTenant,
  host: string,
  at: number,
): void {
  const labels = { host, tenant, uid: `${uid}`, reseller };
  for (const { key, name } of tenantSeries) {
    const value = metrics[key];
    if (value !== undefined) all.push({ name, labels, samples: [{ at, value: coarse(value) }] });
  }
  for (const [limit, value = 0] of Object.entries(faults))
    all.push({
      name: 'bulkhead_history_tenant_faults',
      labels: { ...labels, limit },
      samples: [{ at, value }],
    });
}

const droppedSeries = (dropped: Dropped, host: string, at: number): readonly TimeSeries[] =>
  Object.entries(dropped).map(([reason, value]) => ({
    name: 'bulkhead_history_dropped_windows_total',
    labels: { host, reason },
    samples: [{ at, value }],
  }));

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);
const droppedBits = 8;

/**
 * Returns the nearest number with 16 significant bits, since the history is exact to 0.1 %: the zeros that follow
 * compress to nothing.
 */
export function coarse(value: number): number {
  float[0] = value;
  // Rounding may carry into the exponent, which makes the next power of two.
  bits[0] = (((bits[0] ?? 0) + (1 << (droppedBits - 1))) >>> droppedBits) << droppedBits;
  return float[0] ?? 0;
}
