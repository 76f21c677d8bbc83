/** `GET /v1/usage` and `GET /v1/series`: what was used over a period. */
import { metricKeys, metrics, type MetricKey } from '../../usage/metrics.ts';
import type { SeriesAnswer, UsageAnswer, UsageRow } from '../api.ts';
import { isAdministrator } from '../viewer.ts';
import { orRefuse, Refusal, type Question } from './context.ts';
import { askedEntries, membersOf, namedEntry } from './members.ts';

const mostPoints = 1000;

export async function answerUsage(question: Question): Promise<UsageAnswer> {
  const { agent, query } = question;
  const { from, to } = query.period(Date.now());
  const entries = askedEntries(question);
  const members = membersOf(question, entries);
  const only = members === undefined ? {} : { members };
  const found = await agent.history.usage({ from, to, metrics: askedMetrics(question), ...only });
  const { detail, measuredSeconds, rows: byMember } = orRefuse(found);
  const faults = orRefuse(agent.events.faultCounts({ from, to, ...only }));
  const rows = entries.flatMap(({ who, limits, limitTexts }): readonly UsageRow[] => {
    const measured = byMember.get(who.member);
    const struck = faults.get(who.member);
    if (measured === undefined && struck === undefined && !isNamed(question)) return [];
    return [{ ...who, metrics: measured ?? {}, limits, limitTexts, faults: struck ?? {} }];
  });
  return { from, to, detail, measuredSeconds, rows };
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
  return names.length === 0 ? here : here.filter((key) => names.includes(key));
}

/** Only cgroup v2 counts pressure. */
export function measuredHere({ agent }: Question): readonly MetricKey[] {
  if (agent.driver?.tree.version !== 1) return metricKeys;
  return metricKeys.filter((key) => !metrics[key].counter.includes('Pressure'));
}

export async function answerSeries(question: Question): Promise<SeriesAnswer> {
  const { agent, query } = question;
  const { from, to } = query.period(Date.now());
  const { who, limits } = namedEntry(question, query.text('tenant') ?? '');
  const metric = query.choice('metric', metricKeys) ?? 'cpu';
  const points = Math.max(1, query.whole('points', 60, mostPoints));
  const found = await agent.history.series({ from, to, member: who.member, metric, points });
  const key = metrics[metric].limit;
  const limit = key === undefined ? undefined : limits[key];
  return {
    who,
    metric,
    from,
    to,
    points: orRefuse(found),
    ...(limit === undefined ? {} : { limit }),
  };
}
