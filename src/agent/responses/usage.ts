/** `GET /v1/usage` and `GET /v1/series`: what was used over a period. */
import type { Member } from '../../usage/member.ts';
import { metricKeys, metrics, peakKeys, sampledKeys, type MetricKey } from '../../usage/metrics.ts';
import type { Distribution, SeriesResponse, UsageResponse, UsageRow } from '../api/api.ts';
import { isAdministrator } from '../api/caller.ts';
import { orThrow, HttpError, type RequestContext } from '../api/request-context.ts';
import { askedEntries, namedEntry, visibleFrom, visibleParts } from './members.ts';

const pointsMax = 1000;

export async function answerUsage(request: RequestContext): Promise<UsageResponse> {
  const { agent, history, query } = request;
  const { from, to } = query.period(Date.now());
  const entries = askedEntries(request);
  const asked = askedMetrics(request);
  const byMember = new Map<Member, UsageRow['metrics']>();
  const faults = new Map<Member, UsageRow['faults']>();
  let detail: UsageResponse['detail'] = 'ticks';
  let measuredSeconds = 0;
  for (const part of visibleParts(request, entries, { from, to })) {
    const found = orThrow(await history.usage({ ...part, metrics: withPeaks(asked) }));
    for (const [member, row] of found.rows) byMember.set(member, row);
    for (const [member, row] of orThrow(agent.events.faultCounts(part))) faults.set(member, row);
    if (found.detail === 'hours') detail = 'hours';
    measuredSeconds = Math.max(measuredSeconds, found.measuredSeconds);
  }
  const rows = entries.flatMap(({ who, limits, limitTexts }): readonly UsageRow[] => {
    const measured = byMember.get(who.member);
    const hits = faults.get(who.member);
    if (measured === undefined && hits === undefined && !isNamed(request)) return [];
    return [
      { ...who, metrics: withMaxima(asked, measured), limits, limitTexts, faults: hits ?? {} },
    ];
  });
  return { from, to, detail, measuredSeconds, rows };
}

const withPeaks = (asked: readonly MetricKey[]) => [
  ...new Set(asked.flatMap((key) => [key, peakKeys.get(key) ?? key])),
];

type Distributions = Readonly<Partial<Record<MetricKey, Distribution>>>;

/** The maximum of a metric includes the kernel's high-water marks, if there are any. */
function withMaxima(asked: readonly MetricKey[], measured: Distributions = {}): Distributions {
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
  query.names('tenant').length > 0 || !isAdministrator(caller);

/** The named metrics, or all that this host can measure. */
function askedMetrics(request: RequestContext): readonly MetricKey[] {
  const names = request.query.names('metric');
  const here = measuredHere(request);
  const unknown = names.find((name) => !metricKeys.some((key) => key === name));
  if (unknown !== undefined) {
    throw new HttpError(
      400,
      `There is no metric ${JSON.stringify(unknown)}; there are ${metricKeys.join(', ')}`,
    );
  }
  const known = metricKeys.filter((key) => here.includes(metrics[key].peakOf ?? key));
  return names.length === 0 ? here : known.filter((key) => names.includes(key));
}

/** Only cgroup v2 counts pressure. */
export function measuredHere({ agent }: RequestContext): readonly MetricKey[] {
  if (agent.driver?.tree.version !== 1) return sampledKeys;
  return sampledKeys.filter((key) => !metrics[key].counter.includes('Pressure'));
}

export async function answerSeries(request: RequestContext): Promise<SeriesResponse> {
  const { history, query } = request;
  const { from, to } = query.period(Date.now());
  const entry = namedEntry(request, query.text('tenant') ?? '');
  const { who, limits } = entry;
  const metric = query.choice('metric', metricKeys) ?? 'cpu';
  const points = Math.max(1, query.whole('points', 60, pointsMax));
  const hidden = hiddenPoints(visibleFrom(request, entry, from), { from, to, points });
  const seen = { from: from + ((to - from) / points) * hidden, to, points: points - hidden };
  const found =
    seen.points === 0 ? [] : orThrow(await history.series({ ...seen, member: who.member, metric }));
  const key = metrics[metric].limit;
  const limit = key === undefined ? undefined : limits[key];
  return {
    who,
    metric,
    from,
    to,
    points: [...Array<null>(hidden).fill(null), ...found],
    ...(limit === undefined ? {} : { limit }),
  };
}

/** The number of parts, from the first, that begin before `visible`. */
function hiddenPoints(
  visible: number,
  { from, to, points }: { readonly from: number; readonly to: number; readonly points: number },
): number {
  return Math.min(points, Math.max(0, Math.ceil(((visible - from) / (to - from)) * points)));
}
