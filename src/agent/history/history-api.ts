/**
 * The part of the control API from which the history is pushed to other servers. For root, and for the account
 * `bulkhead-history`, which sees nothing else: no processes, no incidents, no policy.
 *
 *     GET /v1/history/window?from=1764608400000
 */
import type { LimitKey } from '../../limits/limit.ts';
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
