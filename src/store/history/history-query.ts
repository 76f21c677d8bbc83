/**
 * History queries and their results. All of them can be sent between threads.
 *
 * A period is (`from`, `to`] in milliseconds since 1970: a tick belongs to it if it ended in it. Idle
 * time counts as zero.
 */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Member } from '../../usage/member.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import type { Replay } from '../../usage/simulate.ts';
import type { MovedIncidentQuery, MovedPart, MovedQuery } from '../moved/moved-query.ts';
import type { MovedIncident } from '../moved/moved-record.ts';
import type { PruneMovedQuery } from '../moved/prune-moved.ts';

export interface HistoryPeriod {
  readonly from: number;
  readonly to: number;
}

export interface HistoryDistribution {
  readonly average: number;
  /** The value that usage did not exceed for 95 % of the time. */
  readonly p95: number;
  readonly max: number;
}

/** `ticks`: single ticks, exact to 0.1 %; `hours`: quantiles within 6.3 %, if ticks are gone. */
export type Detail = 'ticks' | 'hours';

export interface UsageQuery extends HistoryPeriod {
  /** The members; all if absent. */
  readonly members?: readonly Member[];
  readonly metrics: readonly MetricKey[];
}

export interface UsageHistory {
  readonly detail: Detail;
  /** The measured part of the period; more than its length if the clock was set back. */
  readonly measuredSeconds: number;
  /** Requested metrics that were unknown all the time. */
  readonly unknown: readonly MetricKey[];
  /** Members that used anything, with the requested metrics except unknown ones. */
  readonly rows: ReadonlyMap<Member, Readonly<Partial<Record<MetricKey, HistoryDistribution>>>>;
}

/** The maxima of members that used anything, with all requested metrics except unknown ones. */
export interface Maxima extends Pick<UsageHistory, 'measuredSeconds' | 'unknown'> {
  readonly rows: ReadonlyMap<Member, Readonly<Partial<Record<MetricKey, number>>>>;
}

export interface QuantilesQuery extends HistoryPeriod {
  readonly metric: MetricKey;
  readonly members?: readonly Member[];
  /** The quantiles, at most 16. 0.95: the smallest value that was not exceeded for 95 % of the time. */
  readonly fractions: readonly number[];
}
/** Quantiles by member, in the order of the fractions. */
export type Quantiles = ReadonlyMap<Member, readonly number[]>;

export interface SeriesQuery extends HistoryPeriod {
  readonly member: Member;
  readonly metric: MetricKey;
  /** The number of equal parts, 1 to 10,000. */
  readonly points: number;
}
export interface Series {
  /** Averages of the parts; null if nothing was measured. */
  readonly averages: readonly (number | null)[];
  /** Maxima of the parts; null if nothing was measured, or if only the maximum of a longer time is kept. */
  readonly maxima: readonly (number | null)[];
  /** How much of each part was measured. */
  readonly seconds: readonly number[];
}

export interface ReplaysQuery extends HistoryPeriod {
  readonly metric: MetricKey;
  /** A metric that is added. */
  readonly plus?: MetricKey;
  /** The number of equal parts, 1 to 10,000. */
  readonly points: number;
  /** The limit of each member, in the unit of the metric. */
  readonly limits: ReadonlyMap<Member, number>;
}
/** The time that each member was above its limit. */
export type Replays = ReadonlyMap<Member, Replay>;
/** Several metrics of one member, or of all tenants together. */
export interface ColumnsQuery extends HistoryPeriod {
  readonly of: Member | 'tenants';
  readonly metrics: readonly MetricKey[];
  /** The number of equal parts, 1 to 10,000. */
  readonly points: number;
}
export interface Columns {
  /** How much of each part was measured. */
  readonly seconds: Series['seconds'];
  readonly metrics: ReadonlyMap<MetricKey, Pick<Series, 'averages' | 'maxima'>>;
}

export interface PeakQuery extends HistoryPeriod {
  readonly metric: MetricKey;
}

export interface Queries {
  readonly usage: { readonly query: UsageQuery; readonly answer: UsageHistory };
  readonly maxima: { readonly query: UsageQuery; readonly answer: Maxima };
  readonly quantiles: { readonly query: QuantilesQuery; readonly answer: Quantiles };
  readonly series: { readonly query: SeriesQuery; readonly answer: Series };
  readonly replays: { readonly query: ReplaysQuery; readonly answer: Replays };
  readonly columns: { readonly query: ColumnsQuery; readonly answer: Columns };
  readonly peakTotal: { readonly query: PeakQuery; readonly answer: number };
  readonly moved: { readonly query: MovedQuery; readonly answer: readonly MovedPart[] };
  readonly movedIncident: {
    readonly query: MovedIncidentQuery;
    readonly answer: { readonly name: string; readonly incident: MovedIncident } | undefined;
  };
  /** Writes, unlike the others. The answer tells whether the file changed. */
  readonly pruneMoved: { readonly query: PruneMovedQuery; readonly answer: boolean };
}
export type QueryName = keyof Queries;
export type QueryOf<Name extends QueryName> = Queries[Name]['query'];
export type AnswerOf<Name extends QueryName> = Queries[Name]['answer'];

/** The reason why there is no result. */
export interface HistoryFailure extends Problem {
  /** Set if the history is busy with other callers, or the caller's share is used up. */
  readonly retryAfterSeconds?: number;
}

export const nobodyWaits: HistoryFailure = {
  action: 'ask the history',
  reason: 'nobody waits for the answer',
};

export const pointsMax = 10_000;
export const fractionsMax = 16;
