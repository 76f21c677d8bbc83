/** Queries of what came with a tenant from other hosts. They run in the thread that answers queries of the history. */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { Member } from '../../usage/member.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import { hourMilliseconds } from '../metrics/metrics-schema.ts';
import { readMoved } from './moved-file.ts';
import type { MovedColumn, MovedHours, MovedIncident, MovedRecord } from './moved-record.ts';

export interface MovedQuery {
  readonly member: Member;
  /** The time since when the member has its owner here: what came with a former one is not shown. */
  readonly since: number;
  /** The period in milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly metrics: readonly MetricKey[];
  /** The number of equal parts for the series; 0: none. */
  readonly points: number;
  /** The most incidents of each host, the latest first. */
  readonly count: number;
}

/** The history of one other host, in a period. */
export interface MovedPart extends Pick<
  MovedRecord,
  'host' | 'via' | 'uid' | 'name' | 'since' | 'until'
> {
  readonly measuredSeconds: number;
  readonly usage: Readonly<Partial<Record<MetricKey, MovedUsage>>>;
  readonly faults: Readonly<Partial<Record<LimitKey, number>>>;
  readonly incidents: readonly Omit<MovedIncident, 'evidence'>[];
  /** The number of incidents, without `count`. */
  readonly total: number;
  /** How much of each part of the period was measured. */
  readonly seconds: readonly number[];
  /** The use in each part of the period. */
  readonly series: Readonly<Partial<Record<MetricKey, MovedColumn>>>;
}

export interface MovedUsage {
  /** The average of the measured time. */
  readonly average: number;
  /** The highest value. */
  readonly max: number;
}

export interface MovedIncidentQuery extends Pick<MovedQuery, 'member' | 'since'> {
  readonly host: string;
  readonly id: number;
}

export class MovedReader {
  readonly #history: string;

  constructor(history: string) {
    this.#history = history;
  }

  /** Returns what came with a member, a part for each account on another host, the latest first. */
  parts(query: MovedQuery): Result<readonly MovedPart[], Problem> {
    const records = this.#records(query);
    return records.ok ? ok(records.value.map((each) => partOf(each, query))) : records;
  }

  /** Returns an incident with its evidence, and the name of the account on that host. */
  incident({
    host,
    id,
    ...query
  }: MovedIncidentQuery): Result<
    { readonly name: string; readonly incident: MovedIncident } | undefined,
    Problem
  > {
    const records = this.#records(query);
    if (!records.ok) return records;
    for (const { name, incidents } of records.value.filter((each) => each.host === host)) {
      const incident = incidents.find((each) => each.id === id);
      if (incident !== undefined) return ok({ name, incident });
    }
    return ok(undefined);
  }

  #records({
    member,
    since,
  }: Pick<MovedQuery, 'member' | 'since'>): Result<readonly MovedRecord[], Problem> {
    const moved = readMoved(this.#history, member);
    if (!moved.ok) return moved;
    return ok(moved.value?.since === since ? moved.value.records : []);
  }
}

function partOf(
  { hours, faults, incidents, host, via, uid, name, since, until }: MovedRecord,
  { from, to, metrics, points, count }: MovedQuery,
): MovedPart {
  const inPeriod = hours.starts.flatMap((start, index) =>
    start < to && start + hourMilliseconds > from ? [index] : [],
  );
  const found = incidents.filter(({ begin, end }) => end >= from && begin <= to);
  const counts: Partial<Record<LimitKey, number>> = {};
  for (const [start, limit, more] of faults)
    if (start < to && start + hourMilliseconds > from) counts[limit] = (counts[limit] ?? 0) + more;
  const partLength = (to - from) / Math.max(points, 1);
  const partAt = (index: number) =>
    Math.max(0, Math.floor(((hours.starts[index] ?? 0) - from) / partLength));
  const groups = points === 0 ? new Map<number, number[]>() : Map.groupBy(inPeriod, partAt);
  const parts = Array.from({ length: points }, (_, part) => groups.get(part) ?? []);
  return {
    host,
    ...(via !== undefined && { via }),
    uid,
    name,
    since,
    until,
    measuredSeconds: secondsOf(hours, inPeriod),
    usage: Object.fromEntries(
      metrics.flatMap((key) => {
        const { average, max } = sumOf(hours, key, inPeriod);
        return average === null || max === null ? [] : [[key, { average, max }] as const];
      }),
    ),
    faults: counts,
    incidents: found.slice(0, count).map(withoutEvidence),
    total: found.length,
    seconds: parts.map((each) => secondsOf(hours, each)),
    series: Object.fromEntries(
      metrics.flatMap((key) => {
        if (points === 0 || hours.metrics[key] === undefined) return [];
        const sums = parts.map((each) => sumOf(hours, key, each));
        const column: MovedColumn = {
          averages: sums.map(({ average }) => average),
          maxima: sums.map(({ max }) => max),
        };
        return [[key, column] as const];
      }),
    ),
  };
}

function withoutEvidence(incident: MovedIncident): Omit<MovedIncident, 'evidence'> {
  const { evidence: _, ...rest } = incident;
  return rest;
}

const secondsOf = ({ seconds }: MovedHours, indexes: readonly number[]): number =>
  indexes.reduce((sum, index) => sum + (seconds[index] ?? 0), 0);

/** Returns the average and the maximum of some hours; null if nothing of them is known. */
function sumOf(
  { seconds, metrics }: MovedHours,
  key: MetricKey,
  indexes: readonly number[],
): { readonly average: number | null; readonly max: number | null } {
  const { averages = [], maxima = [] } = metrics[key] ?? {};
  let [sum, time]: [number, number] = [0, 0];
  let max: number | null = null;
  for (const index of indexes) {
    const average = averages[index] ?? null;
    if (average === null) continue;
    const weight = seconds[index] ?? 0;
    sum += average * weight;
    time += weight;
    max = Math.max(max ?? 0, maxima[index] ?? average);
  }
  return time === 0 ? { average: null, max: null } : { average: sum / time, max };
}
