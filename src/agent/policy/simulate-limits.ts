/** The questions of `bulkhead simulate` to the agent: each tenant's recorded use against the limits of another policy. */
import type {
  LimitNumbers,
  SeriesResponse,
  TopResponse,
  UsageResponse,
  UsageRow,
} from '../api/api.ts';
import type { MemberEntry, MemberIndex } from '../sampling/member-index.ts';
import { unlimited } from '../../../packages/base/quantity.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { LimitKey } from '../../limits/limit.ts';
import { attributes } from '../../limits/limits.ts';
import {
  isAboveLimit,
  committedOf,
  replayLimit,
  replayMetrics,
  replayRules,
} from '../../usage/simulate.ts';
import type { Query } from '../api/client.ts';
import type { SimulatedLimit, SimulateResponse } from './simulate-response.ts';

/** Asks the agent for a response. */
export type AskAgent = <Response>(
  path: string,
  query?: Query,
) => Promise<Result<Response, Problem>>;

interface Period {
  readonly from: number;
  readonly to: number;
}

export interface Simulation {
  readonly period: Period;
  readonly after: MemberIndex;
  /** Only this member. */
  readonly tenant: string | undefined;
  readonly onProgress: (done: number, total: number) => void;
}

const hour = 3_600_000;
const partsMax = 1000;
const notInPolicy = 'not in the policy';

export async function simulate(
  ask: AskAgent,
  { period, after, tenant, onProgress }: Simulation,
): Promise<Result<SimulateResponse, Problem>> {
  const { from, to, points } = hoursOf(period);
  const metric = replayMetrics;
  const usage = await ask<UsageResponse>('/v1/usage', { from, to, tenant, metric });
  if (!usage.ok) return usage;
  const now = await ask<TopResponse>('/v1/top', { all: 1 });
  if (!now.ok) return now;
  const { rows, measuredSeconds } = usage.value;
  const limits: SimulatedLimit[] = [];
  // One by one, so that only one series is in memory; by limit, since the agent keeps what it unpacks of a metric.
  const keys = [...attributes.keys()];
  for (const [index, limit] of keys.entries()) {
    for (const [before, row] of rows.entries()) {
      const changed = { row, limit, entry: after.entries.get(row.member) };
      const found = await simulatedLimit(ask, changed, { from, to, points });
      if (!found.ok) return found;
      if (found.value !== undefined) limits.push(found.value);
      onProgress(index * rows.length + before + 1, keys.length * rows.length);
    }
  }
  const host = tenant === undefined ? hostRows(now.value, after) : [];
  // Members that have used nothing have no row, but were measured with all others.
  const idle = measuredSeconds > 0 ? now.value.rows : [];
  const measured = new Set([...rows, ...idle].map(({ member }) => member));
  const unmeasured = [...after.entries.keys()].filter((each) => !measured.has(each));
  const withoutHistory = tenant === undefined ? unmeasured.length : 0;
  return ok({ from, to, measuredSeconds, tenants: rows.length, withoutHistory, limits, host });
}

/** Extends the period to whole hours, for which the history has maxima, and divides it into hours, or more of them. */
function hoursOf({ from, to }: Period): Period & { readonly points: number } {
  const hours = Math.ceil((Math.ceil(to / hour) * hour - from) / hour);
  const each = Math.ceil(hours / partsMax);
  const points = Math.ceil(hours / each);
  const end = Math.ceil(to / hour) * hour;
  return { from: end - points * each * hour, to: end, points };
}

interface Asked extends Period {
  readonly points: number;
}

interface MemberLimit {
  readonly row: UsageRow;
  readonly limit: LimitKey;
  /** Absent if the other policy does not have the member. */
  readonly entry: MemberEntry | undefined;
}

/** Returns what a limit would have done; undefined if it is the same, or nothing would have reached it. */
async function simulatedLimit(
  ask: AskAgent,
  { row, limit, entry }: MemberLimit,
  asked: Asked,
): Promise<Result<SimulatedLimit | undefined, Problem>> {
  const after = entry?.limits[limit];
  if (row.limits[limit] === after) return ok(undefined);
  const effect = await effectOf(ask, { row, limit, after }, asked);
  if (!effect.ok) return effect;
  if (effect.value === undefined) return ok(undefined);
  const texts = {
    before: row.limitTexts[limit] ?? unlimited,
    after: entry === undefined ? notInPolicy : (entry.limitTexts[limit] ?? unlimited),
  };
  const { member, name, kind } = row;
  const happened = row.faults[limit] ?? 0;
  return ok({ member, name, kind, limit, ...texts, happened, ...effect.value });
}

type Effect = Pick<
  SimulatedLimit,
  'effect' | 'secondsMin' | 'secondsMax' | 'stretches' | 'measuredSeconds'
>;

interface ChangedLimit extends Omit<MemberLimit, 'entry'> {
  readonly after: number | undefined;
}

async function effectOf(
  ask: AskAgent,
  { row, limit, after }: ChangedLimit,
  asked: Asked,
): Promise<Result<Effect | undefined, Problem>> {
  const happened = (row.faults[limit] ?? 0) > 0;
  const before = row.limits[limit];
  // What was held back wanted more than was recorded; how much, nobody knows.
  if (after === undefined || (before !== undefined && after > before))
    return ok(happened ? { effect: 'less, unknown' } : undefined);
  const rules = replayRules[limit];
  if (rules === undefined) return ok({ effect: 'unknown' });
  for (const { metric, effect } of rules) {
    const seen = row.metrics[metric];
    if (seen === undefined) return ok({ effect: 'unknown' });
    if (!isAboveLimit(seen.max, after)) continue;
    const query = { ...asked, tenant: row.member, metric, maxima: 1 };
    const series = await ask<SeriesResponse>('/v1/series', query);
    if (!series.ok) return series;
    const { points: averages, maxima, seconds } = series.value;
    if (maxima === undefined || seconds === undefined) return ok({ effect: 'unknown' });
    const { secondsMax, ...known } = replayLimit({ averages, maxima, seconds }, after);
    // A limit that was hit has held back use that the history does not have.
    const isHeldBack = happened && before !== undefined;
    return ok({ effect, ...known, ...(isHeldBack ? {} : { secondsMax }) });
  }
  return ok(happened ? { effect: 'unknown' } : undefined);
}

function hostRows({ host, rows }: TopResponse, after: MemberIndex): SimulateResponse['host'] {
  const sums = [
    ['cpu.limit', host.cores],
    ['memory.limit', host.memoryBytes],
  ] as const;
  const then = [...after.entries.values()].filter(({ who }) => who.kind === 'tenant');
  const now = rows.filter(({ kind }) => kind === 'tenant');
  const committed = (
    all: readonly { readonly limits: LimitNumbers }[],
    limit: LimitKey,
    of: number,
  ) =>
    committedOf(
      all.map(({ limits }) => limits[limit]),
      of,
    );
  return sums.map(([limit, available]) => ({
    limit,
    available,
    before: committed(now, limit, available),
    after: committed(then, limit, available),
  }));
}
