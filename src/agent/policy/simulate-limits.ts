/** The questions of `bulkhead simulate` to the agent: each tenant's recorded use against the limits of another policy. */
import type {
  LimitNumbers,
  ReplayResponse,
  ReplayRow,
  TopResponse,
  TopRow,
  UsageResponse,
  UsageRow,
} from '../api/api.ts';
import type { MemberEntry, MemberIndex } from '../sampling/member-index.ts';
import { listSome } from '../../../packages/base/list.ts';
import { unlimited } from '../../../packages/base/quantity.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { LimitKey } from '../../limits/limit.ts';
import { attributes } from '../../limits/limits.ts';
import {
  isAboveLimit,
  committedOf,
  replayMetrics,
  replayRules,
  type LimitEffect,
} from '../../usage/simulate.ts';
import type { MetricKey } from '../../usage/metrics.ts';
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
/** The encoded names and limits of one request, whose head the agent limits to 16 KiB. */
const requestCharsMax = 15_000;
const notInPolicy = 'not in the policy';

export async function simulate(
  ask: AskAgent,
  { period, after, tenant, onProgress }: Simulation,
): Promise<Result<SimulateResponse, Problem>> {
  const division = hoursOf(period);
  const { from, to } = division;
  const now = await ask<TopResponse>('/v1/top', { all: 1 });
  if (!now.ok) return now;
  const metric = replayMetrics(changedKeys(now.value.rows, after));
  const usage = await ask<UsageResponse>('/v1/usage', { from, to, tenant, metric });
  if (!usage.ok) return usage;
  const { rows, measuredSeconds } = usage.value;
  const changes = changedLimits(rows, after);
  const replayed = await replay(ask, { changes, division, onProgress });
  const limits = changes.flatMap((each) => simulatedLimit(each, replayed.replays.get(each)) ?? []);
  const host = tenant === undefined ? hostRows(now.value, after) : [];
  // Members that have used nothing have no row, but were measured with all others.
  const idle = measuredSeconds > 0 ? now.value.rows : [];
  const measured = new Set([...rows, ...idle].map(({ member }) => member));
  const unmeasured = [...after.entries.keys()].filter((each) => !measured.has(each));
  const withoutHistory = tenant === undefined ? unmeasured.length : 0;
  const { problems } = replayed;
  const tenants = rows.length;
  return ok({ from, to, measuredSeconds, tenants, withoutHistory, limits, host, problems });
}

/** Extends the period to whole hours, for which the history has maxima, and divides it into hours, or more of them. */
function hoursOf({ from, to }: Period): Division {
  const hours = Math.ceil((Math.ceil(to / hour) * hour - from) / hour);
  const each = Math.ceil(hours / partsMax);
  const points = Math.ceil(hours / each);
  const end = Math.ceil(to / hour) * hour;
  return { from: end - points * each * hour, to: end, points };
}

interface Division extends Period {
  readonly points: number;
}

/** A limit that another policy changes for a member. */
interface ChangedLimit {
  readonly row: UsageRow;
  readonly limit: LimitKey;
  /** Absent if the other policy does not have the member. */
  readonly entry: MemberEntry | undefined;
  readonly known: Known;
}

/** The effect as far as it is known without the history; `replay` needs that. */
type Known =
  | { readonly kind: 'no effect' | 'less, unknown' | 'unknown' }
  | { readonly kind: 'replay'; readonly metric: MetricKey; readonly effect: LimitEffect };

function changedLimits(rows: readonly UsageRow[], after: MemberIndex): readonly ChangedLimit[] {
  return [...attributes.keys()].flatMap((limit) =>
    rows.flatMap((row): readonly ChangedLimit[] => {
      const entry = after.entries.get(row.member);
      const then = entry?.limits[limit];
      return row.limits[limit] === then
        ? []
        : [{ row, limit, entry, known: knownOf(row, limit, then) }];
    }),
  );
}

/** Returns the limits that differ for anybody: the history of other metrics is not needed. */
function changedKeys(rows: readonly TopRow[], after: MemberIndex): readonly LimitKey[] {
  return [...attributes.keys()].filter((limit) =>
    rows.some((row) => row.limits[limit] !== after.entries.get(row.member)?.limits[limit]),
  );
}

function knownOf(row: UsageRow, limit: LimitKey, after: number | undefined): Known {
  const happened = (row.faults[limit] ?? 0) > 0;
  const before = row.limits[limit];
  // What was held back wanted more than was recorded; how much, nobody knows.
  if (after === undefined || (before !== undefined && after > before))
    return { kind: happened ? 'less, unknown' : 'no effect' };
  const rules = replayRules[limit];
  if (rules === undefined) return { kind: 'unknown' };
  for (const { metric, effect } of rules) {
    const seen = row.metrics[metric];
    if (seen === undefined) return { kind: 'unknown' };
    if (isAboveLimit(seen.max, after)) return { kind: 'replay', metric, effect };
  }
  return { kind: happened ? 'unknown' : 'no effect' };
}

/** Returns what a limit would have done; undefined if nothing would have reached it. */
function simulatedLimit(
  { row, limit, entry, known }: ChangedLimit,
  replayed: ReplayRow | undefined,
): SimulatedLimit | undefined {
  if (known.kind === 'no effect') return undefined;
  const { member, name, kind } = row;
  const happened = row.faults[limit] ?? 0;
  const before = row.limitTexts[limit] ?? unlimited;
  const after = entry === undefined ? notInPolicy : (entry.limitTexts[limit] ?? unlimited);
  const common = { member, name, kind, limit, before, after, happened };
  if (known.kind !== 'replay') return { ...common, effect: known.kind };
  if (replayed === undefined) return { ...common, effect: 'unknown' };
  const { secondsMin, secondsMax, stretches, measuredSeconds } = replayed;
  // A limit that was hit has held back use that the history does not have.
  const isHeldBack = happened > 0 && row.limits[limit] !== undefined;
  const most = isHeldBack ? {} : { secondsMax };
  return { ...common, effect: known.effect, secondsMin, ...most, stretches, measuredSeconds };
}

interface Replaying extends Pick<Simulation, 'onProgress'> {
  readonly changes: readonly ChangedLimit[];
  readonly division: Division;
}

interface Replayed {
  readonly replays: ReadonlyMap<ChangedLimit, ReplayRow>;
  /** Why some are missing. */
  readonly problems: readonly Problem[];
}

/** Asks for many members of a metric at once: the agent reads the hours of all of them together. */
async function replay(
  ask: AskAgent,
  { changes, division, onProgress }: Replaying,
): Promise<Replayed> {
  const replays = new Map<ChangedLimit, ReplayRow>();
  const problems: Problem[] = [];
  const questions = changes.filter(({ known }) => known.kind === 'replay');
  let done = 0;
  for (const [metric, own] of Map.groupBy(questions, metricOf)) {
    for (const group of groupsOf(own)) {
      const tenant = group.map(({ row }) => row.member);
      const above = hasOneLimit(group) ? group.slice(0, 1).map(limitOf) : group.map(limitOf);
      const found = await ask<ReplayResponse>('/v1/replay', { ...division, metric, tenant, above });
      if (!found.ok) problems.push(missingReplay(group, found.error));
      const rows = new Map((found.ok ? found.value.rows : []).map((each) => [each.member, each]));
      for (const each of group) {
        const row = rows.get(each.row.member);
        if (row !== undefined) replays.set(each, row);
      }
      done += group.length;
      onProgress(done, questions.length);
    }
  }
  return { replays, problems };
}

const metricOf = ({ known }: ChangedLimit) => (known.kind === 'replay' ? known.metric : undefined);
const limitOf = ({ entry, limit }: ChangedLimit) => String(entry?.limits[limit] ?? 0);

/** One limit for all makes the request shorter. */
const hasOneLimit = (changes: readonly ChangedLimit[]) => new Set(changes.map(limitOf)).size === 1;

/** Returns groups that fit into a request. */
function groupsOf(changes: readonly ChangedLimit[]): readonly (readonly ChangedLimit[])[] {
  const groups: ChangedLimit[][] = [];
  let chars = Infinity;
  const isOne = hasOneLimit(changes);
  for (const each of changes) {
    const tenant = `&tenant=${encodeURIComponent(each.row.member)}`;
    const own = tenant.length + (isOne ? 0 : `&above=${limitOf(each)}`.length);
    if (chars + own > requestCharsMax) {
      groups.push([]);
      chars = 0;
    }
    chars += own;
    groups.at(-1)?.push(each);
  }
  return groups;
}

function missingReplay(group: readonly ChangedLimit[], { reason, hint, errno }: Problem): Problem {
  const names = listSome(group.map(({ row }) => row.name));
  return {
    action: `replay ${group[0]?.limit ?? 'limits'} of`,
    object: names,
    reason,
    ...(hint !== undefined && { hint }),
    ...(errno !== undefined && { errno }),
  };
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
