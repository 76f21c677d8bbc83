/**
 * The part of the control API from which the history is pushed to other servers. For root, and for the account
 * `bulkhead-history`, which sees nothing else: no processes, no incidents, no policy.
 *
 *     GET /v1/history/window?from=1764608400000
 */
import type { LimitKey } from '../../limits/limit.ts';
import type { MovedColumn, MovedIncident } from '../../store/moved/moved-record.ts';
import type { MovedUsage } from '../../store/moved/moved-query.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import type { PushedMetric } from '../../usage/push/window.ts';

/** All tenants together, or a reseller, minute by minute. */
export interface HistoryMinutes {
  /** The name of the reseller; absent for all tenants together. */
  readonly reseller?: string;
  /** The uid of the reseller. */
  readonly uid?: number;
  /** The number of seconds of each minute that were measured. */
  readonly seconds: readonly number[];
  /** Averages by metric; null if nothing was measured. */
  readonly metrics: Readonly<Partial<Record<PushedMetric, readonly (number | null)[]>>>;
}

/** The use by a tenant that was not idle in the window. */
export interface HistoryTenant {
  /** The account, or `uid 1001`. */
  readonly name: string;
  /** The uid. */
  readonly uid: number;
  /** The name of its reseller. */
  readonly reseller?: string;
  /** Averages by metric. */
  readonly metrics: Readonly<Partial<Record<PushedMetric, number>>>;
  /** The number of times it hit its limits, by limit. */
  readonly faults: Readonly<Partial<Record<LimitKey, number>>>;
}

/** The response to `GET /v1/history/window`: five minutes of the history. */
export interface HistoryWindowResponse {
  /** The address of `<history push>`; null if the policy names none. */
  readonly url: string | null;
  /** The name of this host, in its fleet if it is in one. */
  readonly host: string;
  /** The beginning of the window, in milliseconds since 1970. */
  readonly from: number;
  /** The end of the window. */
  readonly to: number;
  /** All tenants together first, then the resellers that used anything. */
  readonly minutes: readonly HistoryMinutes[];
  /** The tenants that were not idle. */
  readonly tenants: readonly HistoryTenant[];
}

/** An incident that another host has recorded. */
export type MovedIncidentRow = Omit<MovedIncident, 'evidence'>;

/** The history of a tenant that moved here, on another host. */
export interface MovedOrigin {
  /** The name of that host, in its fleet if it was in one. */
  readonly host: string;
  /** The host that has handed it on, if it is another one; nobody has verified that it is from "host". */
  readonly via?: string;
  /** The name of the account there. */
  readonly name: string;
  /** The uid there. */
  readonly uid: number;
  /** The time since when the account had that uid there, in milliseconds since 1970. */
  readonly since: number;
  /** The time of the export, in milliseconds since 1970. */
  readonly until: number;
  /** The measured part of the period, in seconds; hours that it begins or ends in count whole. */
  readonly measuredSeconds: number;
  /** The use in that time by metric; unknown ones are absent. */
  readonly metrics: Readonly<Partial<Record<MetricKey, MovedUsage>>>;
  /** The number of times that it hit its limits, by limit. */
  readonly faults: Readonly<Partial<Record<LimitKey, number>>>;
  /** The incidents, at most `count`, the latest first. */
  readonly incidents: readonly MovedIncidentRow[];
  /** The total number of incidents, beyond `count`. */
  readonly total: number;
}

/** The history on another host, also in equal parts of the period. */
export interface MovedSeries extends MovedOrigin {
  /** How much of each part was measured, in seconds; empty without `points`. */
  readonly seconds: readonly number[];
  /** The use in each part, by metric. */
  readonly series: Readonly<Partial<Record<MetricKey, MovedColumn>>>;
}

/** The response to `GET /v1/moved`: what came with a tenant from other hosts. */
export interface MovedResponse {
  /** A record for each account on another host, the latest first. */
  readonly records: readonly MovedSeries[];
}
