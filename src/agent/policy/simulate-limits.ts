/** The questions of `bulkhead simulate` to the agent: each tenant's recorded use against the limits of another policy. */
import type { LimitNumbers, TopResponse, TopRow } from '../api/api.ts';
import type { MaximaResponse, MaximaRow, ReplayResponse, ReplayRow } from '../api/usage-api.ts';
import { countsToward, type MemberEntry, type MemberIndex } from '../sampling/member-index.ts';
import { listSome } from '../../../packages/base/list.ts';
import { unlimited } from '../../../packages/base/quantity.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { LimitKey } from '../../limits/limit.ts';
import { attributes } from '../../limits/limits.ts';
import {
  countedRules,
  isAboveLimit,
  committedOf,
  replayMetrics,
  replayRules,
  type ReplayRule,
} from '../../usage/simulate.ts';
import type { Member } from '../../usage/member.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import type { Query } from '../api/client.ts';
import { partlyMeasured } from './partly-measured.ts';
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
  const changes = changedLimits(now.value.rows, after);
  const metrics = replayMetrics(changes.map(rulesOf));
  const recorded = new Recorded();
  const problems: Problem[] = [];
  // The agent still has what it unpacked of the metric when it is asked to replay it.
  for (const [done, metric] of metrics.entries()) {
    onProgress(done, metrics.length);
    const asked = { from, to, tenant, metric, faults: done === 0 };
    const maxima = await ask<MaximaResponse>('/v1/maxima', asked);
    if (!maxima.ok) return maxima;
    recorded.add(maxima.value);
    for (const [plus, above] of recorded.above(changes, metric))
      problems.push(...(await replay(ask, { above, metric, plus, division }, recorded)));
  }
  const own = changes.filter(({ row }) => recorded.seen.has(row.member));
  const limits = own.flatMap((each) => simulatedLimit(each, recorded) ?? []);
  const host = tenant === undefined ? hostRows(now.value, after) : [];
  const { measuredSeconds, seen } = recorded;
  // Members that have used nothing have no row, but were measured with all others.
  const idle = measuredSeconds > 0 ? now.value.rows : [];
  const measured = new Set([...seen.keys(), ...idle.map(({ member }) => member)]);
  const unmeasured = [...after.entries.keys()].filter((each) => !measured.has(each));
  const withoutHistory = tenant === undefined ? unmeasured.length : 0;
  const rules = new Map(changes.map((each) => [each.limit, rulesOf(each)]));
  // The limit is the same for those to whom databases count, and for those to whom they do not.
  if (changes.some(countsThen)) rules.set('cpu.limit', countedRules);
  const partly = await partlyMeasured(ask, division, rules, measuredSeconds);
  if (!partly.ok) problems.push(partly.error);
  const known = partly.ok && partly.value.length > 0 ? { partly: partly.value } : {};
  const tenants = seen.size;
  const common = { from, to, measuredSeconds, tenants, withoutHistory };
  return ok({ ...common, ...known, limits, host, problems });
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
  readonly row: TopRow;
  readonly limit: LimitKey;
  /** Absent if the other policy does not have the member. */
  readonly entry: MemberEntry | undefined;
  /** The other limit; absent if there is none. */
  readonly other: number | undefined;
}

function changedLimits(rows: readonly TopRow[], after: MemberIndex): readonly ChangedLimit[] {
  return [...attributes.keys()].flatMap((limit) =>
    rows.flatMap((row): readonly ChangedLimit[] => {
      const entry = after.entries.get(row.member);
      const other = entry?.limits[limit];
      const change = { row, limit, entry, other };
      return row.limits[limit] === other && !startsCounting(change) && !stopsCounting(change)
        ? []
        : [change];
    }),
  );
}

const countsThen = ({ limit, entry }: Pick<ChangedLimit, 'limit' | 'entry'>) =>
  limit === 'cpu.limit' && entry !== undefined && countsToward(entry);

const countsNow = ({ limit, row }: Pick<ChangedLimit, 'limit' | 'row'>) =>
  limit === 'cpu.limit' && row.countsDatabases === true;

/** Whether the use of database servers counts toward the limit with the other policy only. */
const startsCounting = (change: ChangedLimit) => countsThen(change) && !countsNow(change);
const stopsCounting = (change: ChangedLimit) => countsNow(change) && !countsThen(change);

const rulesOf = (change: ChangedLimit) =>
  countsThen(change) ? countedRules : replayRules[change.limit];

/** Whether more was allowed than before: what was held back wanted more than was recorded; how much, nobody knows. */
function isRaised(change: ChangedLimit): boolean {
  const before = change.row.limits[change.limit];
  const { other } = change;
  if (other === undefined) return true;
  if (before === undefined || startsCounting(change)) return false;
  return other > before || (other === before && stopsCounting(change));
}

/** Collects what the history has: the agent is asked for one metric after the other. */
class Recorded {
  /** The members that used anything or hit a limit, or the one that was asked for. */
  readonly seen = new Map<Member, Pick<MaximaRow, 'metrics' | 'faults'>>();
  readonly replays = new Map<ChangedLimit, ReplayRow>();
  measuredSeconds = 0;

  readonly #metrics = new Set<MetricKey>();

  add({ measuredSeconds, metrics, rows }: MaximaResponse): void {
    this.measuredSeconds = Math.max(this.measuredSeconds, measuredSeconds);
    for (const metric of metrics) this.#metrics.add(metric);
    for (const { member, metrics: maxima, faults } of rows) {
      const before = this.seen.get(member);
      const counted = before?.faults ?? faults ?? {};
      this.seen.set(member, { metrics: { ...before?.metrics, ...maxima }, faults: counted });
    }
  }

  happened({ row, limit }: ChangedLimit): number {
    return this.seen.get(row.member)?.faults?.[limit] ?? 0;
  }

  /** Returns the changes of which this metric is the first that was above the limit, by the metric that is added. */
  above(
    changes: readonly ChangedLimit[],
    metric: MetricKey,
  ): ReadonlyMap<MetricKey | undefined, readonly ChangedLimit[]> {
    const found = changes.flatMap((change) => {
      const known = this.known(change);
      return known.kind === 'replay' && known.metric === metric
        ? [[known.plus, change] as const]
        : [];
    });
    return new Map(
      [...Map.groupBy(found, ([plus]) => plus)].map(([plus, all]) => [
        plus,
        all.map(([, change]) => change),
      ]),
    );
  }

  /** Returns the effect as far as it is known without a replay. */
  known(change: ChangedLimit): Known {
    const { row, other } = change;
    const hasHappened = this.happened(change) > 0;
    if (other === undefined || isRaised(change))
      return { kind: hasHappened ? 'less, unknown' : 'no effect' };
    const rules = rulesOf(change);
    if (rules === undefined) return { kind: 'unknown' };
    for (const { metric, plus, effect } of rules) {
      if (!this.#metrics.has(metric)) return { kind: 'unknown' };
      // Nothing counts of servers that nobody asked.
      const added = plus !== undefined && this.#metrics.has(plus) ? { plus } : {};
      const max = [metric, ...Object.values(added)]
        .map((key) => this.seen.get(row.member)?.metrics[key] ?? 0)
        .reduce((sum, each) => sum + each);
      if (isAboveLimit(max, other)) return { kind: 'replay', metric, ...added, effect };
    }
    return { kind: hasHappened ? 'unknown' : 'no effect' };
  }
}

/** `replay`: how long, only the history knows. */
type Known =
  | { readonly kind: 'no effect' | 'less, unknown' | 'unknown' }
  | ({ readonly kind: 'replay' } & ReplayRule);

/** Returns what a limit would have done; undefined if nothing would have reached it. */
function simulatedLimit(change: ChangedLimit, recorded: Recorded): SimulatedLimit | undefined {
  const known = recorded.known(change);
  if (known.kind === 'no effect') return undefined;
  const { row, limit, entry } = change;
  const { member, name, kind } = row;
  const happened = recorded.happened(change);
  const before = row.limitTexts[limit] ?? unlimited;
  const after = entry === undefined ? notInPolicy : (entry.limitTexts[limit] ?? unlimited);
  const common = { member, name, kind, limit, before, after, happened };
  if (known.kind !== 'replay') return { ...common, effect: known.kind };
  const replayed = recorded.replays.get(change);
  if (replayed === undefined) return { ...common, effect: 'unknown' };
  const { secondsMin, secondsMax, stretches, measuredSeconds } = replayed;
  // A limit that was hit has held back use that the history does not have.
  const isHeldBack = happened > 0 && row.limits[limit] !== undefined;
  const most = isHeldBack ? {} : { secondsMax };
  return { ...common, effect: known.effect, secondsMin, ...most, stretches, measuredSeconds };
}

interface Replaying {
  readonly above: readonly ChangedLimit[];
  readonly metric: MetricKey;
  readonly plus: MetricKey | undefined;
  readonly division: Division;
}

/** Asks for many members of a metric at once. Returns why some are missing. */
async function replay(
  ask: AskAgent,
  { above: changes, metric, plus, division }: Replaying,
  { replays }: Recorded,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const group of groupsOf(changes)) {
    const tenant = group.map(({ row }) => row.member);
    const above = hasOneLimit(group) ? group.slice(0, 1).map(limitOf) : group.map(limitOf);
    const found = await ask<ReplayResponse>('/v1/replay', {
      ...division,
      metric,
      plus,
      tenant,
      above,
    });
    if (!found.ok) problems.push(missingReplay(group, found.error));
    const rows = new Map((found.ok ? found.value.rows : []).map((each) => [each.member, each]));
    for (const each of group) {
      const row = rows.get(each.row.member);
      if (row !== undefined) replays.set(each, row);
    }
  }
  return problems;
}

const limitOf = ({ other }: ChangedLimit) => String(other ?? 0);

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
