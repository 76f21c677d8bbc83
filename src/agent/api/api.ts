/**
 * The control API: JSON over HTTP on `/run/bulkhead/control.sock`, version 1.
 *
 * Fields may be added; none is renamed or removed within version 1. Times are milliseconds since
 * 1970, `…Seconds` seconds, memory bytes, rates per second, CPU in cores (1 is one core kept busy).
 *
 *     GET  /v1/status
 *     GET  /v1/overview?from=MS&to=MS (report-api.ts)
 *     GET  /v1/top
 *     GET  /v1/tenants/NAME/processes
 *     GET  /v1/tenants/NAME/limits
 *     POST /v1/tenants/NAME/limits?set=cpu.limit=50%…&unset=memory…&check=1
 *     GET  /v1/tenants/NAME/apps
 *     POST /v1/tenants/NAME/apps?set=blog&command=… or ?remove=blog
 *     GET  /v1/tenants/NAME/troubles?from=MS&to=MS (report-api.ts)
 *     GET  /v1/usage?from=MS&to=MS&tenant=NAME…&metric=cpu…
 *     GET  /v1/series?from=MS&to=MS&tenant=NAME&metric=cpu&points=60&maxima=1
 *     GET  /v1/maxima?from=MS&to=MS&tenant=NAME…&metric=cpu…&faults=1
 *     GET  /v1/replay?from=MS&to=MS&metric=cpu&points=60&tenant=NAME&above=0.5…
 *     GET  /v1/series?…&metric=cpu&metric=memory or tenant=* (report-api.ts)
 *     GET  /v1/incidents?from=MS&to=MS&tenant=NAME…&limit=KEY&severity=killed&enforced=1&count=100
 *     GET  /v1/incidents/ID
 *     GET  /v1/advise?from=MS&to=MS
 *     GET  /v1/digest
 *     POST /v1/digest?use=90%&every=week
 *     POST /v1/alerts/test
 *     GET  /v1/protection
 *     GET  /v1/modules
 *     GET  /metrics
 *
 * NAME is an account, a uid or a member (`u1001`, `r1000`), or one of the first two, a slash and a site
 * (`alice/shop.example`; in a path as `%2F`). Root sees everything, a reseller itself and its tenants, a tenant
 * itself and its sites. A response with a status other than 200 is an `ErrorResponse`.
 */
import type { Problem } from '../../../packages/base/problem.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { AppRow } from '../../policy/apps/app-state.ts';
import type { Explanation } from '../../policy/explain.ts';
import type { Severity } from '../../usage/fault.ts';
import type { Incident, ProcessEvidence, Snapshot } from '../../usage/incident.ts';
import type { Member, MemberKind } from '../../usage/member.ts';
import type { HeavyUser, SeenRequest } from '../../usage/causes/causes.ts';
import type { Resource } from '../../usage/causes/incident-topics.ts';
import type { MetricKey, Usage } from '../../usage/metrics.ts';
import type { Replay } from '../../usage/simulate.ts';

/** The reason why there is no answer. */
export interface ErrorResponse extends Problem {
  /** The problem as one sentence. */
  readonly error: string;
}

/** Limits as written in the policy, including `unlimited`. */
export type LimitTexts = Readonly<Partial<Record<LimitKey, string>>>;
/** The same as numbers in the units of the metrics; unlimited ones are absent. */
export type LimitNumbers = Readonly<Partial<Record<LimitKey, number>>>;

/** A tenant, a site or a reseller. */
export interface Who {
  readonly member: Member;
  /** The uid; for a site its tenant's. */
  readonly uid: number;
  /** The account, or `uid 1001`; of a site, `alice/shop.example`. Control characters have been replaced. */
  readonly name: string;
  /** Whether it is a tenant, a site or a reseller. */
  readonly kind: MemberKind;
  /** The name of the site, if it is one. */
  readonly site?: string;
  /** The tenant of the site, if it is one. */
  readonly tenant?: string;
  /** Name of the reseller of a tenant. */
  readonly reseller?: string;
  /** The package of a tenant. */
  readonly package?: string;
}

/** The usage of one member in the last tick. */
export interface TopRow extends Who {
  /** Present if an administrator has stopped it: it runs nothing, or is frozen. */
  readonly stopped?: true;
  /** Usage by metric: CPU in cores, memory in bytes, rates per second, shares of the time from 0 to 1. */
  readonly usage: Usage;
  readonly limits: LimitNumbers;
  readonly limitTexts: LimitTexts;
  /** The CPU limit of now, in cores, while it is lower than in `limits`: the use of database servers counts toward it. */
  readonly cpuLimitNow?: number;
  /** Present if the use of database servers counts toward the CPU limit. */
  readonly countsDatabases?: true;
  /** Faults in the last five minutes, by limit. */
  readonly faults: Readonly<Partial<Record<LimitKey, number>>>;
  /** Limits that were hit in the last tick. */
  readonly limitsHit: readonly LimitKey[];
}

/** The last tick. */
export interface TopResponse {
  /** The time when the last tick ended, in milliseconds since 1970. */
  readonly at: number;
  /** The length of the tick. */
  readonly durationSeconds: number;
  /** Cores and memory of the host. */
  readonly host: {
    /** The number of cores. */
    readonly cores: number;
    /** The memory. */
    readonly memoryBytes: number;
  };
  /** The rows; idle tenants are included only with `?all=1`. */
  readonly rows: readonly TopRow[];
  /** The number of idle tenants. */
  readonly idle: number;
}

/** The processes of a tenant, a site or a reseller. */
export interface ProcessesResponse {
  readonly who: Who;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The heaviest users first, without zombies. */
  readonly processes: readonly LiveProcess[];
  /** The total number of processes. */
  readonly processCount: number;
}

export interface LiveProcess extends Omit<ProcessEvidence, 'command'> {
  /** The command; absent if the caller may not see it: a reseller. */
  readonly command?: string;
  /** Share of a core since it started; absent if that could not be read. */
  readonly cpu?: number;
}

/** Each limit of a tenant or a site, and what set it. */
export type ExplainResponse = Explanation;

/** The result of a change of a site's limits. */
export interface SetLimitsResponse {
  readonly who: Who;
  /** `kept`: it is applied as soon as the policy is; `checked`: nothing was changed. */
  readonly state: 'in force' | 'kept' | 'checked';
}

/** The digests that the caller gets, and its own choice. */
export interface DigestResponse {
  /** The share of a limit from which use is reported, if the caller has chosen one; null otherwise. */
  readonly use: string | null;
  /** How often, if the caller has chosen it; null otherwise. */
  readonly every: 'week' | 'off' | null;
  /** The digests of the policy for the caller. */
  readonly digests: readonly {
    /** The kind of receiver. */
    readonly to: 'reseller' | 'tenant';
    /** How often it is sent without a choice. */
    readonly every: 'day' | 'week';
    /** The share of a limit from which use is reported without a choice. */
    readonly use: string;
    /** The smallest share that may be chosen; null if the caller may choose nothing. */
    readonly useMin: string | null;
  }[];
}

/** The same after a change. */
export type SetDigestResponse = DigestResponse;

/** The applications of a tenant. */
export interface AppsResponse {
  readonly who: Who;
  /** How many applications the tenant may define itself. */
  readonly max: number;
  /** The applications as the agent last saw them, by name. */
  readonly apps: readonly AppRow[];
}

/** The result of a change that a tenant has made to its own applications. */
export interface SetAppResponse {
  readonly who: Who;
  /** `kept`: it is applied as soon as that is possible. */
  readonly state: 'in force' | 'kept';
}

/** The distribution of a metric over the period. */
export interface Distribution {
  /** The average. */
  readonly average: number;
  /** The value below which it was for 95 % of the time. */
  readonly p95: number;
  /** The highest value. */
  readonly max: number;
}

/** The usage of one member over the period. */
export interface UsageRow extends Who {
  /** The metrics that this host can measure; idle time counts as zero. */
  readonly metrics: Readonly<Partial<Record<MetricKey, Distribution>>>;
  readonly limits: LimitNumbers;
  readonly limitTexts: LimitTexts;
  /** The CPU limit of now, in cores, while it is lower than in `limits`: the use of database servers counts toward it. */
  readonly cpuLimitNow?: number;
  /** Faults in the period, by limit. */
  readonly faults: Readonly<Partial<Record<LimitKey, number>>>;
  /** Mail of a tenant, whatever the period is. `unknown`: it has no jail, and no log of a mail server shows it. */
  readonly mail?: MailCount | 'unknown';
  /** The bytes that web servers sent for a tenant's sites, whatever the period is. `unknown`: no access log shows them. */
  readonly sentByWeb?: SentByWeb | 'unknown';
}

/** The bytes that web servers sent for a tenant's sites, by their access logs. */
export interface SentByWeb {
  /** The number of bytes. */
  readonly bytes: number;
  /** The time since when they are counted, in milliseconds since 1970. */
  readonly since: number;
  /** Why the number is too low, at most five reasons; empty if nothing is missing. */
  readonly gaps: readonly string[];
}

/** Messages that a tenant handed to the host's mail server. */
export interface MailCount {
  /** The number of messages that the mail program accepted. */
  readonly accepted: number;
  /** The number of messages that the mail program refused, or that were not handed to it; absent without a jail. */
  readonly refused?: number;
  /** The time since when they are counted, in milliseconds since 1970; absent if there were none. */
  readonly since?: number;
}

/** The use of resources over a period. */
export interface UsageResponse {
  /** Milliseconds since 1970. */
  readonly from: number;
  /** Milliseconds since 1970. */
  readonly to: number;
  /** Resolution: single ticks, or hours with quantiles within 7 %. */
  readonly detail: 'ticks' | 'hours';
  /** How much of the period was measured. */
  readonly measuredSeconds: number;
  /** Present if web servers reported to this agent, in all of the period, which requests they refuse. */
  readonly entriesCounted?: true;
  /** The members, with their usage. */
  readonly rows: readonly UsageRow[];
}

/** A metric over a period. */
export interface SeriesResponse {
  readonly who: Who;
  /** The metric. */
  readonly metric: MetricKey;
  /** Milliseconds since 1970. */
  readonly from: number;
  /** Milliseconds since 1970. */
  readonly to: number;
  /** Averages of equal parts of the period; null if nothing was measured. */
  readonly points: readonly (number | null)[];
  /**
   * The maxima of the same parts, with `maxima=1`; null if nothing was measured, or if only the maximum of a longer
   * time is kept.
   */
  readonly maxima?: readonly (number | null)[];
  /** How much of each part was measured, with `maxima=1`, in seconds. */
  readonly seconds?: readonly number[];
  /** The limit on the metric now; absent if there is none. */
  readonly limit?: number;
}

/** The maxima of members over a period. */
export interface MaximaResponse {
  /** Milliseconds since 1970. */
  readonly from: number;
  /** Milliseconds since 1970. */
  readonly to: number;
  /** How much of the period was measured. */
  readonly measuredSeconds: number;
  /** The metrics that this host measured, out of those that were asked for. */
  readonly metrics: readonly MetricKey[];
  /** The members that used anything of these or hit a limit, or those that were named. */
  readonly rows: readonly MaximaRow[];
}

/** The maxima of a member, and its faults. */
export interface MaximaRow {
  readonly member: Member;
  /** The maximum of each metric, with peaks between ticks. */
  readonly metrics: Readonly<Partial<Record<MetricKey, number>>>;
  /** Faults in the period, by limit; absent unless asked for. */
  readonly faults?: Readonly<Partial<Record<LimitKey, number>>>;
}

/** A metric over a period against a limit of each member. */
export interface ReplayResponse {
  /** The metric. */
  readonly metric: MetricKey;
  /** The metric that is added to it. */
  readonly plus?: MetricKey;
  /** Milliseconds since 1970. */
  readonly from: number;
  /** Milliseconds since 1970. */
  readonly to: number;
  /** The number of equal parts into which the period was divided. */
  readonly points: number;
  /** The members, each with the time above its limit. */
  readonly rows: readonly ReplayRow[];
}

/** The time that a member was above its limit. */
export interface ReplayRow extends Replay {
  readonly member: Member;
}

/** An incident, and its member. */
export interface IncidentRow extends Incident {
  readonly who: Who;
}

/** The incidents of a period, the latest first. */
export interface IncidentsResponse {
  /** The incidents, at most `count`. */
  readonly incidents: readonly IncidentRow[];
  /** The total number, beyond `count`. */
  readonly total: number;
}

/** One incident in full. */
export interface IncidentResponse extends IncidentRow {
  /** The snapshots; for a reseller they have no command lines. */
  readonly evidence: readonly Snapshot[];
  /** The explanation in plain English: what happened and what to do; one paragraph per entry. */
  readonly explanation: readonly string[];
  /** The resource that the limit is on. */
  readonly resource: Resource;
  /** The heaviest users of it, the heaviest first; programs only, if the caller may not see command lines. */
  readonly users: readonly HeavyUser[];
  /** The requests that PHP was serving, the most frequent first; only for root and the tenant. */
  readonly requests: readonly SeenRequest[];
}

/** An incident that another host has recorded before the tenant moved here. */
export interface MovedIncidentResponse extends IncidentResponse {
  /** The name of that host. */
  readonly host: string;
}

/** A limit of one tenant, compared with past usage. */
export interface Advice extends Who {
  readonly limit: LimitKey;
  /** The value now, as the policy has it. */
  readonly current: string;
  /** The limit that would never have been hit in the period; always higher than a value that was hit. */
  readonly neverHit: string;
  /** The limit that would have been hit for 1 % of the time; always higher than a value that was hit. */
  readonly onePercentHit: string;
  /**
   * The beginning of its history within the period, in milliseconds since 1970; absent if there is none. A lower limit
   * than the current one is proposed only after a day of history.
   */
  readonly knownSince?: number;
  /** The number of faults in the period. */
  readonly faults: number;
  /** The highest value at which it was hit in the period. */
  readonly hitValue?: string;
  /** The reason why more is proposed. */
  readonly reason?: string;
  /** Present if the CPU time of database servers is in it, since it counts toward the limit. */
  readonly countsDatabases?: true;
}

/** Limits compared with past usage. */
export interface AdviseResponse {
  /** Milliseconds since 1970. */
  readonly from: number;
  /** Milliseconds since 1970. */
  readonly to: number;
  /** How much of the period was measured. */
  readonly measuredSeconds: number;
  /** The limits of tenants. */
  readonly tenants: readonly Advice[];
  /** The same for all tenants of a package together. */
  readonly packages: readonly (Omit<Advice, keyof Who> & {
    /** The package. */
    readonly package: string;
    /** The number of tenants in it. */
    readonly tenants: number;
    /** The number of them with a day of history: a lower limit is proposed once these are more than half. */
    readonly tenantsKnown: number;
  })[];
  /** The sum of all limits next to the capacity of the host. */
  readonly host: readonly {
    readonly limit: LimitKey;
    /** The sum of the tenants' limits. */
    readonly committed: string;
    /** The number of tenants without this limit. */
    readonly unlimitedTenants: number;
    /** The capacity of the host. */
    readonly available: string;
    /** Committed divided by available. */
    readonly overcommit: number;
    /** The maximum used at once by all tenants together. */
    readonly peak: string;
  }[];
}

/** The result of a test message through each rule. */
export interface AlertsTestResponse {
  /** The results, one for each receiver. */
  readonly results: readonly {
    /** The receiver. */
    readonly to: string;
    /** Whether it was sent. */
    readonly ok: boolean;
    /** The reason why it was not sent. */
    readonly problem?: string;
  }[];
}

export type { Severity };
