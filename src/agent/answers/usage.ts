/** `GET /v1/usage` and `GET /v1/series`: what was used over a period. */
import type { Member } from '../../usage/member.ts';
import { metricKeys, metrics, peakKeys, sampledKeys, type MetricKey } from '../../usage/metrics.ts';
import type { Distribution, SeriesAnswer, UsageAnswer, UsageRow } from '../api.ts';
import { isAdministrator } from '../viewer.ts';
import { orRefuse, Refusal, type Question } from './context.ts';
import { askedEntries, namedEntry, visibleFrom, visibleParts } from './members.ts';

const mostPoints = 1000;

export async function answerUsage(question: Question): Promise<UsageAnswer> {
  const { agent, history, query } = question;
  const { from, to } = query.period(Date.now());
  const entries = askedEntries(question);
  const asked = askedMetrics(question);
  const byMember = new Map<Member, UsageRow['metrics']>();
  const faults = new Map<Member, UsageRow['faults']>();
  let detail: UsageAnswer['detail'] = 'ticks';
  let measuredSeconds = 0;
  for (const part of visibleParts(question, entries, { from, to })) {
    const found = orRefuse(await history.usage({ ...part, metrics: withPeaks(asked) }));
    for (const [member, row] of found.rows) byMember.set(member, row);
    for (const [member, row] of orRefuse(agent.events.faultCounts(part))) faults.set(member, row);
    if (found.detail === 'hours') detail = 'hours';
    measuredSeconds = Math.max(measuredSeconds, found.measuredSeconds);
  }
  const rows = entries.flatMap(({ who, limits, limitTexts }): readonly UsageRow[] => {
    const measured = byMember.get(who.member);
    const struck = faults.get(who.member);
    if (measured === undefined && struck === undefined && !isNamed(question)) return [];
    return [
      { ...who, metrics: withMaxima(asked, measured), limits, limitTexts, faults: struck ?? {} },
    ];
  });
  return { from, to, detail, measuredSeconds, rows };
}

const withPeaks = (asked: readonly MetricKey[]) => [
  ...new Set(asked.flatMap((key) => [key, peakKeys.get(key) ?? key])),
];

type Distributions = Readonly<Partial<Record<MetricKey, Distribution>>>;

/** The most of a metric is the most at any moment, where the kernel told of moments. */
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

const isNamed = ({ query, viewer }: Question) =>
  query.names('tenant').length > 0 || !isAdministrator(viewer);

/** Those that were named, or all that are measured here. */
function askedMetrics(question: Question): readonly MetricKey[] {
  const names = question.query.names('metric');
  const here = measuredHere(question);
  const unknown = names.find((name) => !metricKeys.some((key) => key === name));
  if (unknown !== undefined) {
    throw new Refusal(
      400,
      `There is no metric ${JSON.stringify(unknown)}; there are ${metricKeys.join(', ')}`,
    );
  }
  const known = metricKeys.filter((key) => here.includes(metrics[key].peakOf ?? key));
  return names.length === 0 ? here : known.filter((key) => names.includes(key));
}

/** Only cgroup v2 counts pressure. */
export function measuredHere({ agent }: Question): readonly MetricKey[] {
  if (agent.driver?.tree.version !== 1) return sampledKeys;
  return sampledKeys.filter((key) => !metrics[key].counter.includes('Pressure'));
}

export async function answerSeries(question: Question): Promise<SeriesAnswer> {
  const { history, query } = question;
  const { from, to } = query.period(Date.now());
  const entry = namedEntry(question, query.text('tenant') ?? '');
  const { who, limits } = entry;
  const metric = query.choice('metric', metricKeys) ?? 'cpu';
  const points = Math.max(1, query.whole('points', 60, mostPoints));
  const hidden = hiddenPoints(visibleFrom(question, entry, from), { from, to, points });
  const seen = { from: from + ((to - from) / points) * hidden, to, points: points - hidden };
  const found =
    seen.points === 0
      ? []
      : orRefuse(await history.series({ ...seen, member: who.member, metric }));
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

/** As many parts, from the first, as begin before `visible`. */
function hiddenPoints(
  visible: number,
  { from, to, points }: { readonly from: number; readonly to: number; readonly points: number },
): number {
  return Math.min(points, Math.max(0, Math.ceil(((visible - from) / (to - from)) * points)));
}
