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

/** The windows that were never pushed: those that became too old, and those that the server refused. */
export interface Dropped {
  readonly old: number;
  readonly refused: number;
}

export function windowSeries(
  { host, from, to, minutes, tenants }: HistoryWindowResponse,
  dropped: Dropped,
): readonly TimeSeries[] {
  return [
    ...minutes.flatMap((each) => minuteSeries(each, host, from, to)),
    ...tenants.flatMap((each) => tenantSeries(each, host, to)),
    ...droppedSeries(dropped, host, to),
  ];
}

function minuteSeries(
  { reseller, uid, seconds, metrics }: HistoryMinutes,
  host: string,
  from: number,
  to: number,
): readonly TimeSeries[] {
  const kind = reseller === undefined ? 'host' : 'reseller';
  const labels = reseller === undefined ? { host } : { host, reseller, uid: `${uid}` };
  const length = (to - from) / seconds.length;
  return pushedMetrics.flatMap((key) => {
    const samples = (metrics[key] ?? []).flatMap((value, minute): readonly Sample[] =>
      value === null
        ? []
        : [{ at: Math.round(from + (minute + 1) * length), value: coarse(value) }],
    );
    const name = `bulkhead_history_${kind}_${metricNames[key]}`;
    return samples.length === 0 ? [] : [{ name, labels, samples }];
  });
}

function tenantSeries(
  { name: tenant, uid, reseller = '', metrics, faults }: HistoryTenant,
  host: string,
  at: number,
): readonly TimeSeries[] {
  const labels = { host, tenant, uid: `${uid}`, reseller };
  const used = pushedMetrics.flatMap((key) => {
    const value = metrics[key];
    if (value === undefined) return [];
    const name = `bulkhead_history_tenant_${metricNames[key]}`;
    return [{ name, labels, samples: [{ at, value: coarse(value) }] }];
  });
  const hit = Object.entries(faults).map(([limit, value]) => ({
    name: 'bulkhead_history_tenant_faults',
    labels: { ...labels, limit },
    samples: [{ at, value: value ?? 0 }],
  }));
  return [...used, ...hit];
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
