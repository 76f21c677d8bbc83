/**
 * What the control API says: JSON over HTTP on `/run/bulkhead/control.sock`, version 1.
 *
 * Fields may be added; none is renamed or removed within version 1. Times are milliseconds since
 * 1970, `…Seconds` seconds, memory bytes, rates a second, CPU in cores (1 is one core kept busy).
 *
 *     GET  /v1/status
 *     GET  /v1/top
 *     GET  /v1/tenants/NAME/processes
 *     GET  /v1/usage?from=MS&to=MS&tenant=NAME…&metric=cpu…
 *     GET  /v1/series?from=MS&to=MS&tenant=NAME&metric=cpu&points=60
 *     GET  /v1/incidents?from=MS&to=MS&tenant=NAME…&limit=KEY&severity=killed&count=100
 *     GET  /v1/incidents/ID
 *     GET  /v1/advise?from=MS&to=MS
 *     POST /v1/alerts/test
 *     GET  /metrics
 *
 * NAME is an account, a uid or a member (`u1001`, `r1000`). Who asks sees: root everything, a reseller itself and its tenants, a
 * tenant itself. An answer other than 200 is a `Problem`.
 */
import type { LimitKey } from '../../limits/limit.ts';
import type { Severity } from '../../usage/fault.ts';
import type { Incident, ProcessEvidence, Snapshot } from '../../usage/incident.ts';
import type { Member } from '../../usage/member.ts';
import type { MetricKey } from '../../usage/metrics.ts';

export interface Problem {
  readonly error: string;
}

/** Limits as the policy writes them, `unlimited` included. */
export type LimitTexts = Readonly<Partial<Record<LimitKey, string>>>;
/** The same as numbers in the units of the metrics; what is not limited is absent. */
export type LimitNumbers = Readonly<Partial<Record<LimitKey, number>>>;

export interface Who {
  readonly member: Member;
  readonly uid: number;
  /** The account, or `uid 1001`. Control characters have been replaced. */
  readonly name: string;
  readonly kind: 'tenant' | 'reseller';
  /** Name of the reseller of a tenant. */
  readonly reseller?: string;
  readonly package?: string;
}

export interface StatusResponse {
  readonly version: string;
  readonly instance: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly driver: string;
  readonly policy: {
    readonly file: string;
    /** `refused`: the file is wrong, and the one before is in force. */
    readonly state: 'in force' | 'refused' | 'failed' | 'absent';
    readonly since: number;
    readonly problems: readonly string[];
  };
  readonly tenants: number;
  readonly resellers: number;
  readonly placement: PlacementStatus;
  readonly tick: {
    readonly intervalSeconds: number;
    /** When the last one ended, and how long it took. */
    readonly at?: number;
    readonly tookSeconds?: number;
    readonly ticks: number;
    readonly faults: number;
  };
  readonly history: {
    /** `off`: none is kept now, for the reason that `problem` gives. */
    readonly state: 'on' | 'off';
    readonly problem?: string;
    readonly bytes: number;
    readonly oldest?: number;
  };
  readonly memoryBytes: number;
  /** Where the API is served over TCP too. */
  readonly tcp?: TcpStatus;
}

export interface TcpStatus {
  readonly port: number;
  readonly addresses: readonly string[];
  /** By whoever started the agent, on each address: while the agent is down nobody can take the port. */
  readonly kept: boolean;
}

export interface PlacementStatus {
  /** `off`: the kernel reports no change of uid here; `problem` says why. */
  readonly state: 'on' | 'starting' | 'off';
  readonly problem?: string;
  /** Whether the kernel reports only changes of uid (Linux 6.6), or everything. */
  readonly filtered?: boolean;
  /** Since the agent started. */
  readonly events: number;
  readonly placed: number;
  /** Events that the kernel dropped, each answered by a look at all processes. */
  readonly overruns: number;
  readonly restarts: number;
  /** Processes of tenants outside their cgroups at the last look at all processes. */
  readonly outside: readonly OutsideProcess[];
  /** Why there may be others outside; empty where all processes could be looked at. */
  readonly unknown: readonly string[];
  readonly scannedAt?: number;
}

export interface OutsideProcess {
  readonly pid: number;
  readonly uid: number;
  readonly reason: string;
}

export interface TopRow extends Who {
  readonly usage: Readonly<Record<MetricKey, number>>;
  readonly limits: LimitNumbers;
  readonly limitTexts: LimitTexts;
  /** In the last five minutes, by limit. */
  readonly faults: Readonly<Partial<Record<LimitKey, number>>>;
  /** Whether a limit was hit in the last tick. */
  readonly faulted: readonly LimitKey[];
}

export interface TopResponse {
  readonly at: number;
  readonly seconds: number;
  /** Cores and memory of the host. */
  readonly host: { readonly cores: number; readonly memoryBytes: number };
  /** Idle ones are left out unless `?all=1`. */
  readonly rows: readonly TopRow[];
  readonly idle: number;
}

export interface ProcessesResponse {
  readonly who: Who;
  readonly at: number;
  /** The largest users first; zombies are left out. */
  readonly processes: readonly LiveProcess[];
  readonly processCount: number;
}

export interface LiveProcess extends Omit<ProcessEvidence, 'command'> {
  /** Absent for whom it is none of their business: a reseller. */
  readonly command?: string;
  /** Share of a core since it started; absent where that could not be read. */
  readonly cpu?: number;
}

export interface Distribution {
  readonly average: number;
  readonly p95: number;
  readonly max: number;
}

export interface UsageRow extends Who {
  /** Of metrics that are measured here; the time in which it was idle counts as zero. */
  readonly metrics: Readonly<Partial<Record<MetricKey, Distribution>>>;
  readonly limits: LimitNumbers;
  readonly limitTexts: LimitTexts;
  readonly faults: Readonly<Partial<Record<LimitKey, number>>>;
}

export interface UsageResponse {
  readonly from: number;
  readonly to: number;
  /** How exact: single ticks, or hours with quantiles to within 7 %. */
  readonly detail: 'ticks' | 'hours';
  /** How much of the period was measured, in seconds. */
  readonly measuredSeconds: number;
  readonly rows: readonly UsageRow[];
}

export interface SeriesResponse {
  readonly who: Who;
  readonly metric: MetricKey;
  readonly from: number;
  readonly to: number;
  /** Averages of equal parts of the period; null where nothing was measured. */
  readonly points: readonly (number | null)[];
  readonly limit?: number;
}

export interface IncidentRow extends Incident {
  readonly who: Who;
}

export interface IncidentsResponse {
  readonly incidents: readonly IncidentRow[];
  /** How many there are in all. */
  readonly total: number;
}

export interface IncidentResponse extends IncidentRow {
  /** Commands are left out for a reseller. */
  readonly evidence: readonly Snapshot[];
  /** What happened and what to do, in plain words; one paragraph an entry. */
  readonly explanation: readonly string[];
}

export interface Advice extends Who {
  readonly limit: LimitKey;
  readonly current: string;
  /**
   * The limit that would never have been hit in the period, and the one that would have been for 1 %
   * of the time; always more than a value that was hit.
   */
  readonly never: string;
  readonly onePercent: string;
  readonly faults: number;
  /** The highest value at which it was hit in the period, and what that means. */
  readonly hitAt?: string;
  readonly reason?: string;
}

export interface AdviseResponse {
  readonly from: number;
  readonly to: number;
  readonly measuredSeconds: number;
  readonly tenants: readonly Advice[];
  /** The same over all tenants of a package. */
  readonly packages: readonly (Omit<Advice, keyof Who> & {
    readonly package: string;
    readonly tenants: number;
  })[];
  /** What was promised to all together beside what there is. */
  readonly host: readonly {
    readonly limit: LimitKey;
    readonly committed: string;
    readonly unlimitedTenants: number;
    readonly available: string;
    /** Promised divided by available. */
    readonly overcommit: number;
    /** The most that was used at once, of what is available. */
    readonly peak: string;
  }[];
}

export interface AlertsTestResponse {
  readonly results: readonly {
    readonly to: string;
    readonly ok: boolean;
    readonly problem?: string;
  }[];
}

export type { Severity };
