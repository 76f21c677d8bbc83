/** `GET /v1/advise`: which limits would fit past usage, and how far the host is overcommitted. */
import { availableParallelism, totalmem } from 'node:os';
import type { LimitKey } from '../../limits/limit.ts';
import type { HistoryPeriod } from '../../store/history/history-query.ts';
import { hourMilliseconds } from '../../store/metrics/metrics-schema.ts';
import { unlimited } from '../../../packages/base/quantity.ts';
import {
  advised,
  formatLimit,
  propose,
  adviceReason,
  areEnough,
  historySecondsMin,
  notBelow,
  type Hit,
  type Proposal,
  type SeenUsage,
} from '../../usage/advise.ts';
import { countsDatabases } from '../../policy/databases/counted-cpu.ts';
import { MeasuredParts, type KnownHistory } from '../../usage/measured-parts.ts';
import type { Member } from '../../usage/member.ts';
import { peakKeys, type MetricKey } from '../../usage/metrics.ts';
import { isPartKey } from '../../usage/part-keys.ts';
import type { Advice, AdviseResponse } from '../api/usage-api.ts';
import type { MemberEntry } from '../sampling/member-index.ts';
import { isAdministrator } from '../api/caller.ts';
import { ok } from '../../../packages/base/result.ts';
import { shortBytes } from '../../../packages/base/bytes.ts';
import { fromStore, type HttpResult } from '../api/http-result.ts';
import { type RequestContext } from '../api/request-context.ts';
import { readHits, type Hits } from './advise/hits.ts';
import { askedEntries, visibleParts, type PeriodPart } from './members.ts';
import { pointsMax } from './series.ts';

const week = 7 * 86_400_000;

interface Measured {
  readonly limit: LimitKey;
  readonly seen: ReadonlyMap<Member, Seen>;
  /** The parts of the period in which the metric was known. */
  readonly parts: MeasuredParts;
  /** The use of database servers, if it counts for some members, too. */
  readonly added?: Measured;
}

interface Seen extends SeenUsage {
  readonly p995: number;
}

export async function answerAdvise(request: RequestContext): Promise<HttpResult<AdviseResponse>> {
  const { history, query, caller } = request;
  const period = query.period(Date.now(), week);
  if (!period.ok) return period;
  const asked = askedEntries(request);
  if (!asked.ok) return asked;
  const entries = asked.value.filter((each) => each.who.kind === 'tenant');
  const visible = visibleParts(request, entries, period.value);
  const measured = await readSeen(request, period.value, visible);
  if (!measured.ok) return measured;
  const usage = await history.usage({ ...period.value, metrics: ['cpu'], members: [] });
  const hits = readHits(request, visible);
  if (!hits.ok) return hits;
  const { membership } = request.agent;
  const evidence: Evidence = {
    hits: hits.value,
    known: (entry, measured) => {
      const { parts } = addedFor(entry, measured) ?? measured;
      return parts.since(membership.beginningOf(entry.who.member));
    },
  };
  const tenants = measured.value.flatMap((each) =>
    entries.flatMap((entry) => adviceFor(entry, each, evidence)),
  );
  return ok({
    ...period.value,
    measuredSeconds: usage.ok ? usage.value.measuredSeconds : 0,
    tenants,
    packages: isAdministrator(caller) ? packagesOf(entries, measured.value, evidence) : [],
    host: isAdministrator(caller) ? await hostOf(request, period.value) : [],
  });
}

async function readSeen(
  request: RequestContext,
  period: HistoryPeriod,
  parts: readonly PeriodPart[],
): Promise<HttpResult<readonly Measured[]>> {
  const { history } = request;
  const kernel = await measuredParts(request, period, 'cpu');
  if (!kernel.ok) return kernel;
  const all: Measured[] = [];
  for (const [limit, metric] of advised) {
    // Database servers may be asked since yesterday, on a host that is measured for weeks.
    const own = isPartKey(metric) ? await measuredParts(request, period, metric) : kernel;
    if (!own.ok) return own;
    const seen = new Map<Member, Seen>();
    for (const part of parts) {
      // History written by an older version has no peaks, but always samples.
      for (const key of [metric, peakKeys.get(metric) ?? []].flat()) {
        const fractions = [0.99, 0.995, 1];
        const found = fromStore(await history.quantiles({ ...part, metric: key, fractions }));
        if (!found.ok) return found;
        for (const [member, [p99 = 0, p995 = 0, max = 0]] of found.value) {
          const before = seen.get(member) ?? nothingSeen;
          seen.set(member, {
            p99: Math.max(before.p99, p99),
            p995: Math.max(before.p995, p995),
            max: Math.max(before.max, max),
          });
        }
      }
    }
    all.push({ limit, seen, parts: own.value });
  }
  const added = all.find(({ limit }) => limit === 'database.cpu');
  return ok(all.map((each) => (each.limit === 'cpu.limit' && added ? { ...each, added } : each)));
}

const nothingSeen: Seen = { p99: 0, p995: 0, max: 0 };

/** Returns the use of database servers, if it counts toward the limit of a member. */
const addedFor = (
  entry: Pick<MemberEntry, 'who' | 'source'>,
  { added }: Measured,
): Measured | undefined =>
  entry.who.kind === 'tenant' && countsDatabases(entry.source) ? added : undefined;

/**
 * Adds up two metrics, whose peaks may be of different moments: the sum is the most that there can have been. Two parts of
 * half a percent of the time, each, are no more than one percent of it.
 */
const withAdded = (one: Seen, { p995, max }: Seen): Seen => ({
  p99: one.p995 + p995,
  p995: Infinity,
  max: one.max + max,
});

/** Finds in which parts of the period a metric was known. */
async function measuredParts(
  { history }: RequestContext,
  { from, to }: HistoryPeriod,
  metric: MetricKey,
): Promise<HttpResult<MeasuredParts>> {
  const points = Math.min(pointsMax, Math.max(1, Math.ceil((to - from) / hourMilliseconds)));
  const asked = { from, to, points, metrics: [metric], of: 'tenants' } as const;
  const found = fromStore(await history.columns(asked));
  if (!found.ok) return found;
  const averages = found.value.metrics.get(metric)?.averages ?? [];
  const seconds = found.value.seconds.map((each, part) =>
    (averages[part] ?? null) === null ? 0 : each,
  );
  return ok(new MeasuredParts({ from, to }, seconds));
}

interface Evidence {
  readonly hits: Hits;
  /** Returns the history of a metric of an account; undefined if there is none. */
  readonly known: (entry: MemberEntry, measured: Measured) => KnownHistory | undefined;
}

interface Proposed {
  readonly proposal: Proposal;
  readonly hit: Hit | undefined;
  readonly known: KnownHistory | undefined;
}

/** Returns a proposal; none if the limit was neither used nor hit. */
function proposedFor(
  entry: MemberEntry,
  measured: Measured,
  { hits, known }: Evidence,
): readonly Proposed[] {
  const { limit } = measured;
  const hit = hits.of(entry, limit);
  const mine = seenOf(entry, measured) ?? (hit === undefined ? undefined : nothingSeen);
  if (mine === undefined) return [];
  const proposal = propose(limit, mine, entry.limits[limit], hit);
  return [{ proposal, hit, known: known(entry, measured) }];
}

function seenOf(entry: MemberEntry, measured: Measured): Seen | undefined {
  const own = measured.seen.get(entry.who.member);
  const added = addedFor(entry, measured)?.seen.get(entry.who.member);
  return added === undefined ? own : withAdded(own ?? nothingSeen, added);
}

interface Together {
  /** The present limit of all of them. */
  readonly current: number | undefined;
  readonly mayLower: boolean;
}

/** Returns the advice for all of them together: the maximum that any of them needs. */
function together(limit: LimitKey, all: readonly Proposed[], { current, mayLower }: Together) {
  const most = (part: keyof Proposal) => Math.max(...all.map(({ proposal }) => proposal[part]));
  const needed = { never: most('never'), onePercent: most('onePercent') };
  const { never, onePercent } = mayLower ? needed : notBelow(needed, current);
  const since = Math.min(...all.map(({ known }) => known?.since ?? Infinity));
  const hit = all.map((each) => each.hit).reduce(worseHit, undefined);
  return {
    neverHit: formatLimit(limit, never),
    onePercentHit: formatLimit(limit, onePercent),
    ...(Number.isFinite(since) && { knownSince: since }),
    faults: hit?.count ?? 0,
    ...(hit === undefined ? {} : { reason: adviceReason(limit, hit) }),
    ...(hit?.at === undefined ? {} : { hitValue: formatLimit(limit, hit.at) }),
  };
}

function worseHit(a: Hit | undefined, b: Hit | undefined): Hit | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const at = a.at === undefined || b.at === undefined ? (a.at ?? b.at) : Math.max(a.at, b.at);
  return { count: a.count + b.count, at };
}

const hasDay = (known: KnownHistory | undefined): boolean =>
  (known?.seconds ?? 0) >= historySecondsMin;

function adviceFor(entry: MemberEntry, measured: Measured, evidence: Evidence): readonly Advice[] {
  const { limit } = measured;
  const current = entry.given.texts[limit] ?? unlimited;
  return proposedFor(entry, measured, evidence).map((each) => ({
    ...entry.who,
    limit,
    current,
    ...together(limit, [each], {
      current: entry.given.numbers[limit],
      mayLower: hasDay(each.known),
    }),
    ...(addedFor(entry, measured) && { countsDatabases: true as const }),
  }));
}

/** Returns the advice for packages: the maximum that any of their tenants needs. */
function packagesOf(
  entries: readonly MemberEntry[],
  measured: readonly Measured[],
  evidence: Evidence,
): AdviseResponse['packages'] {
  const members = Map.groupBy(
    entries.filter((each) => each.who.package !== undefined),
    (each) => each.who.package ?? '',
  );
  return [...members].flatMap(([name, tenants]) =>
    measured.flatMap((each) => packageAdvice(name, tenants, each, evidence)),
  );
}

function packageAdvice(
  name: string,
  tenants: readonly MemberEntry[],
  measured: Measured,
  evidence: Evidence,
): AdviseResponse['packages'] {
  const { limit } = measured;
  const found = tenants.flatMap((each) => proposedFor(each, measured, evidence));
  if (found.length === 0) return [];
  const own = tenants.find((each) => !ownValue(each, limit)) ?? tenants[0];
  const tenantsKnown = tenants.filter((each) => hasDay(evidence.known(each, measured))).length;
  return [
    {
      package: name,
      tenants: tenants.length,
      tenantsKnown,
      limit,
      current: own?.given.texts[limit] ?? unlimited,
      ...together(limit, found, {
        current: own?.given.numbers[limit],
        mayLower: areEnough(tenantsKnown, tenants.length),
      }),
      ...(tenants.some((each) => addedFor(each, measured)) && { countsDatabases: true as const }),
    },
  ];
}

const ownValue = ({ source }: MemberEntry, limit: LimitKey) =>
  source.chain[0]?.kind === 'tenant' && source.chain[0].written.has(limit);

/** Returns the sum of all limits, next to the capacity of the host. */
async function hostOf(
  { agent, history }: RequestContext,
  period: { readonly from: number; readonly to: number },
): Promise<AdviseResponse['host']> {
  const available: readonly (readonly [LimitKey, MetricKey, number])[] = [
    ['cpu.limit', 'cpu', availableParallelism()],
    ['memory.limit', 'anonymous', totalmem()],
  ];
  const rows: AdviseResponse['host'][number][] = [];
  for (const [limit, metric, amount] of available) {
    const { sum: committed, unlimited: unlimitedTenants } = agent.memberIndex.promised(limit);
    const peak = await history.peakTotal({ ...period, metric });
    rows.push({
      limit,
      committed: formatLimit(limit, committed),
      unlimitedTenants,
      available: limit === 'memory.limit' ? shortBytes(amount) : formatLimit(limit, amount),
      overcommit: committed / amount,
      peak: formatLimit(limit, peak.ok ? roundedPeak(limit, peak.value) : 0),
    });
  }
  return rows;
}

const roundedPeak = (limit: LimitKey, value: number) =>
  limit === 'cpu.limit' ? Number(value.toFixed(2)) : Math.ceil(value / 2 ** 20) * 2 ** 20;
