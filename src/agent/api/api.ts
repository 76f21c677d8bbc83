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
 *     GET  /v1/usage?from=MS&to=MS&tenant=NAME…&metric=cpu… (usage-api.ts)
 *     GET  /v1/series?from=MS&to=MS&tenant=NAME&metric=cpu&points=60&maxima=1 (usage-api.ts)
 *     GET  /v1/maxima?from=MS&to=MS&tenant=NAME…&metric=cpu…&faults=1 (usage-api.ts)
 *     GET  /v1/replay?from=MS&to=MS&metric=cpu&points=60&tenant=NAME&above=0.5… (usage-api.ts)
 *     GET  /v1/series?…&metric=cpu&metric=memory or tenant=* (report-api.ts)
 *     GET  /v1/incidents?from=MS&to=MS&tenant=NAME…&limit=KEY&severity=killed&enforced=1&count=100
 *     GET  /v1/incidents/ID
 *     GET  /v1/advise?from=MS&to=MS (usage-api.ts)
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
import type { Usage } from '../../usage/metrics.ts';

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
