/** `GET /v1/usage`: usage over a period. */
import { periodParts } from '../../store/events/event-store.ts';
import type { Member } from '../../usage/member.ts';
import { metricKeys, metrics, peakKeys, sampledKeys, type MetricKey } from '../../usage/metrics.ts';
import { isPartKey } from '../../usage/part-keys.ts';
import type { Who } from '../api/api.ts';
import type { Distribution, UsageResponse, UsageRow } from '../api/usage-api.ts';
import { isAdministrator, mayChange } from '../api/caller.ts';
import { ok } from '../../../packages/base/result.ts';
import { fromStore, httpError, type HttpResult } from '../api/http-result.ts';
import { type RequestContext } from '../api/request-context.ts';
import { askedEntries, visibleParts } from './members.ts';

const uidMax = 2 ** 32 - 2;

export async function answerUsage(asked: RequestContext): Promise<HttpResult<UsageResponse>> {
  const seen = seenAs(asked);
  return seen.ok ? usageFor(seen.value) : seen;
}

/** Returns the request as another account would make it, if root asks for that: what it may see, and since when. */
function seenAs(request: RequestContext): HttpResult<RequestContext> {
  const uid = request.query.whole('as', 0, uidMax);
  if (!uid.ok) return uid;
  if (uid.value === 0) return ok(request);
  if (mayChange(request.caller)) return ok({ ...request, caller: { kind: 'uid', uid: uid.value } });
  const reason = 'only root may ask what others see';
  return httpError({ status: 403, action: 'show usage as', object: `uid ${uid.value}`, reason });
}

async function usageFor(request: RequestContext): Promise<HttpResult<UsageResponse>> {
  const { agent, history, query } = request;
  const period = query.period(Date.now());
  if (!period.ok) return period;
  const entries = askedEntries(request);
  if (!entries.ok) return entries;
  const asked = askedMetrics(request);
  if (!asked.ok) return asked;
  const part = query.choice('part', periodParts);
  if (!part.ok) return part;
  const byMember = new Map<Member, UsageRow['metrics']>();
  const faults = new Map<Member, UsageRow['faults']>();
  let detail: UsageResponse['detail'] = 'ticks';
  let measuredSeconds = 0;
  /** The metrics that were known, by member. */
  const known = new Map<Member, readonly MetricKey[]>();
  for (const visible of visibleParts(request, entries.value, period.value)) {
    const found = fromStore(await history.usage({ ...visible, metrics: withPeaks(asked.value) }));
    if (!found.ok) return found;
    const counts = fromStore(agent.events.faultCounts({ ...visible, part: part.value }));
    if (!counts.ok) return counts;
    const { unknown } = found.value;
    if (found.value.measuredSeconds > 0)
      for (const member of visible.members ?? agent.memberIndex.entries.keys())
        known.set(
          member,
          asked.value.filter((key) => !unknown.includes(key)),
        );
    for (const [member, row] of found.value.rows) byMember.set(member, row);
    for (const [member, row] of counts.value) faults.set(member, row);
    if (found.value.detail === 'hours') detail = 'hours';
    measuredSeconds = Math.max(measuredSeconds, found.value.measuredSeconds);
  }
  const rows = entries.value.flatMap((entry): readonly UsageRow[] => {
    const { who, limits, limitTexts } = entry;
    const measured = byMember.get(who.member);
    const hits = faults.get(who.member);
    if (measured === undefined && hits === undefined && !isNamed(request)) return [];
    const mail = agent.mailOf(entry);
    const sentByWeb = agent.sentByWebOf(entry);
    const cpuLimitNow = agent.cpuLimitNowOf(entry);
    return [
      {
        ...who,
        metrics: withMaxima(asked.value, measured ?? idle(who, known.get(who.member) ?? [])),
        limits,
        limitTexts,
        ...(cpuLimitNow !== undefined && { cpuLimitNow }),
        faults: hits ?? {},
        ...(mail !== undefined && { mail }),
        ...(sentByWeb !== undefined && { sentByWeb }),
      },
    ];
  });
  const countedSince = agent.entriesCountedSince() ?? Infinity;
  const counted = countedSince <= period.value.from ? { entriesCounted: true as const } : {};
  return ok({ ...period.value, detail, measuredSeconds, ...counted, rows });
}

/** Adds the peak metrics of those that have one. */
export const withPeaks = (asked: readonly MetricKey[]) => [
  ...new Set(asked.flatMap((key) => [key, peakKeys.get(key) ?? key])),
];

type Distributions = Readonly<Partial<Record<MetricKey, Distribution>>>;

/** The history has no row of a member that used nothing while others were measured. */
const idle = ({ kind }: Who, known: readonly MetricKey[]): Distributions =>
  Object.fromEntries(
    known
      .filter((key) => kind !== 'site' || !isPartKey(key))
      .map((key) => [key, { average: 0, p95: 0, max: 0 }]),
  );

/** Raises the maximum of a metric to the kernel's high-water marks, if there are any. */
function withMaxima(asked: readonly MetricKey[], measured: Distributions): Distributions {
  const pairs = asked.flatMap((key) => {
    const of = measured[key];
    const peak = measured[peakKeys.get(key) ?? key];
    return of === undefined
      ? []
      : [[key, { ...of, max: Math.max(of.max, peak?.max ?? 0) }] as const];
  });
  return Object.fromEntries(pairs);
}

const isNamed = ({ query, caller }: RequestContext) =>
  query.has('tenant') || !isAdministrator(caller);

/** Returns the named metrics, or all that this host can measure. */
export function askedMetrics(request: RequestContext): HttpResult<readonly MetricKey[]> {
  const asked = request.query.names('metric');
  if (!asked.ok) return asked;
  const names = asked.value;
  const here = measuredHere(request);
  const unknown = names.find((name) => !metricKeys.some((key) => key === name));
  if (unknown !== undefined) {
    return httpError({
      status: 400,
      action: 'show metric',
      object: unknown,
      reason: 'there is none with that name',
      hint: `choose from ${metricKeys.join(', ')}`,
    });
  }
  const known = metricKeys.filter((key) => here.includes(metrics[key].peakOf ?? key));
  return ok(names.length === 0 ? here : known.filter((key) => names.includes(key)));
}

/** Returns the metrics that this host can measure; only cgroup v2 counts pressure. */
function measuredHere({ agent }: RequestContext): readonly MetricKey[] {
  if (agent.driver?.tree.version !== 1) return sampledKeys;
  return sampledKeys.filter((key) => isPartKey(key) || !metrics[key].counter.includes('Pressure'));
}
