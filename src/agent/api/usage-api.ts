/** Responses about use over a period: of members, of single metrics, and limits compared with it; see api.ts for the others. */
import type { LimitKey } from '../../limits/limit.ts';
import type { Member } from '../../usage/member.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import type { Replay } from '../../usage/simulate.ts';
import type { LimitNumbers, LimitTexts, Who } from './api.ts';

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
