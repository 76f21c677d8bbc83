/** Responses that answer a question about a period at once; see api.ts for the others. */
import type { LimitKey, Severity } from '../../limits/limit.ts';
import type { Help, Weakness } from '../../limits/support.ts';
import type { HeavyUser, SeenRequest } from '../../usage/causes/causes.ts';
import type { Remedy } from '../../usage/causes/remedies.ts';
import type { ValueChange } from '../../policy/changes/describe.ts';
import type { Resource } from '../../usage/causes/incident-topics.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import type { IncidentRow, Who } from './api.ts';
import type { StatusResponse } from './status-response.ts';

/** Several metrics over a period: with several `metric`, with `tenant=*`, or with `columns=1`. */
export interface SeriesColumnsResponse {
  /** The member; absent for the sum of all tenants, which administrators get with `tenant=*`. */
  readonly who?: Who;
  /** Milliseconds since 1970. */
  readonly from: number;
  /** Milliseconds since 1970. */
  readonly to: number;
  /** The time at which its figures begin, if that is after `from`; the parts before are blank. Milliseconds since 1970. */
  readonly since?: number;
  /** How much of each equal part of the period was measured, in seconds. */
  readonly seconds: readonly number[];
  /** The metrics. */
  readonly metrics: Readonly<Partial<Record<MetricKey, SeriesColumn>>>;
}

/** One metric in the parts of a period. */
export interface SeriesColumn {
  /** The average of each part; null if nothing was measured. */
  readonly average: readonly (number | null)[];
  /** The maximum of each part; null if nothing was measured, or if only the maximum of a longer time is kept. */
  readonly max: readonly (number | null)[];
  /** The limit on the metric as it is now, and perhaps not as it was; absent if there is none. */
  readonly limitNow?: number;
}

/** The effects of one limit in a period. */
export interface Trouble {
  /** The limit, or the key of what was refused. */
  readonly limit: LimitKey;
  /** The name of the site, if it is a site's own limit. */
  readonly site?: string;
  /** The resource that it is on. */
  readonly resource: Resource;
  /** The worst effect. */
  readonly severity: Severity;
  /** How often it was hit. */
  readonly faults: number;
  /** The number of incidents. */
  readonly incidents: number;
  /** The time within the period in which it was hit again and again, with pauses of less than five minutes. */
  readonly seconds: number;
  /** Whether it was hit in the last minute. */
  readonly isNow: boolean;
  /** The id of the longest incident with the worst effect. */
  readonly worst: number;
  /** The limit's value then, as written in the policy. */
  readonly value: string;
  /** The heaviest users in that incident, the heaviest first. */
  readonly users: readonly HeavyUser[];
  /** The requests that PHP was serving then, the most frequent first; only for root and the tenant. */
  readonly requests: readonly SeenRequest[];
  /** The remedies, the most fitting first. */
  readonly remedies: readonly Remedy[];
}

/** The effects of the limits of one member, and of a tenant's sites, in a period. */
export interface TroublesResponse {
  readonly who: Who;
  /** Milliseconds since 1970. */
  readonly from: number;
  /** Milliseconds since 1970. */
  readonly to: number;
  /** The limits that were hit, the worst first: killed, then refused, then throttled, the longest first; at most 20. */
  readonly troubles: readonly Trouble[];
  /** Whether there were more incidents than the 1,000 that are counted, or more than 20 limits were hit. */
  readonly isCut: boolean;
}

/** The sum of one limit of all tenants, next to what the host has. */
export interface Committed {
  /** The sum of the tenants' limits. */
  readonly committed: number;
  /** The amount that the host has. */
  readonly available: number;
  /** The number of tenants without this limit. */
  readonly unlimitedTenants: number;
  /** Committed divided by available. */
  readonly overcommit: number;
}

/** The host at a glance. Only administrators see it. */
export interface OverviewResponse {
  /** Milliseconds since 1970. */
  readonly from: number;
  /** Milliseconds since 1970. */
  readonly to: number;
  /** The state of the policy, as in the status. */
  readonly policy: StatusResponse['policy'];
  /** The number of tenants. */
  readonly tenants: number;
  /** The number of resellers. */
  readonly resellers: number;
  /** Processes of tenants outside their cgroups at the last full scan. */
  readonly outside: number;
  /** Whether some processes could not be inspected. */
  readonly isOutsideUnknown: boolean;
  /** The tenants' CPU together in cores, and their memory without page cache in bytes, in 96 parts. Absent without a history. */
  readonly course?: Pick<SeriesColumnsResponse, 'seconds' | 'metrics'>;
  /** CPU in cores, memory in bytes. */
  readonly committed: { readonly cpu: Committed; readonly memory: Committed };
  /** The number of tenants that hit a limit in the last minute. */
  readonly atLimit: number;
  /** The number of others that used nine tenths of a limit in the last minute. */
  readonly nearLimit: number;
  /** The limits of tenants that this host cannot enforce, or not fully. */
  readonly weak: readonly WeakLimit[];
  /** The last `bulkhead verify`; absent if it has not run since the policy was last applied. */
  readonly drift?: FoundDrift;
  /** Incidents of the period by their worst effect. */
  readonly incidents: SeverityCounts;
  /** Incidents that began in each of 24 equal parts of the period. */
  readonly incidentCounts: readonly number[];
  /** The worst incidents of the period, the worst and the latest first; at most 5. */
  readonly worst: readonly IncidentRow[];
  /** The latest changes of the policy, the latest first; at most 5. Absent if the record cannot be read. */
  readonly changes?: readonly PolicyChangeRow[];
}

/** Differences between the policy and the host. */
export interface DriftReport {
  /** The number of differences; 0 if the host matches the policy. */
  readonly differences: number;
  /** The first differences, for people; at most 20. */
  readonly lines: readonly string[];
}

/** The differences that `bulkhead verify` found. */
export interface FoundDrift extends DriftReport {
  /** The time at which it ran, in milliseconds since 1970. */
  readonly at: number;
}

/** Incidents by their worst effect. */
export interface SeverityCounts {
  /** Incidents of limits that are only observed. */
  readonly observed: number;
  /** Incidents in which programs were slowed down. */
  readonly throttled: number;
  /** Incidents in which something was refused. */
  readonly refused: number;
  /** Incidents in which a process was killed. */
  readonly killed: number;
}

/** A limit that this host cannot enforce, or not fully. */
export interface WeakLimit {
  readonly limit: LimitKey;
  /** The degree. */
  readonly level: 'partial' | 'none';
  /** The reason. */
  readonly reason?: string;
  /** The parts of the reason, for programs that translate them. */
  readonly weaknesses?: readonly Weakness[];
  /** The advice for better enforcement. */
  readonly help?: string;
  /** The parts of the advice, for programs that translate them. */
  readonly helps?: readonly Help[];
  /** The number of tenants that have the limit. */
  readonly tenants: number;
}

/** A recorded change of the policy. */
export interface PolicyChangeRow {
  /** The change's number. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The command or request that made it; `by hand`: the file was edited. */
  readonly way: string;
  /** The account; absent if the file was edited by hand. */
  readonly user?: string;
  /** The outcome, as `bulkhead policy log --json` has it. */
  readonly outcome: string;
  /** The number of changed values; absent if it is unknown. */
  readonly valueCount?: number;
  /** The first changed values in words; at most 3. */
  readonly summary: readonly string[];
  /** The same values in fields, for programs that translate them. */
  readonly values: readonly ValueChange[];
}
