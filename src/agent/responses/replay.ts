/**
 * The recorded use of many members, for administrators only.
 *
 *     GET /v1/maxima      the maximum of each member
 *     GET /v1/replay      how long each was above a limit
 */
import { ok } from '../../../packages/base/result.ts';
import type { Member } from '../../usage/member.ts';
import { metricKeys, peakKeys, type MetricKey } from '../../usage/metrics.ts';
import type { MaximaResponse, MaximaRow, ReplayResponse, ReplayRow } from '../api/usage-api.ts';
import { isAdministrator } from '../api/caller.ts';
import { fromStore, httpError, type HttpResult } from '../api/http-result.ts';
import type { RequestContext } from '../api/request-context.ts';
import type { FaultCounts } from '../sampling/latest-sample.ts';
import { askedEntries, membersOf, namedEntry } from './members.ts';
import { pointsMax } from './series.ts';
import { askedMetrics, withPeaks } from './usage.ts';

export async function answerMaxima(request: RequestContext): Promise<HttpResult<MaximaResponse>> {
  const { agent, caller, history, query } = request;
  if (!isAdministrator(caller))
    return httpError({ status: 403, action: 'show maxima', reason: 'only root may' });
  const period = query.period(Date.now());
  if (!period.ok) return period;
  const entries = askedEntries(request);
  if (!entries.ok) return entries;
  const metrics = askedMetrics(request);
  if (!metrics.ok) return metrics;
  const members = membersOf(request, entries.value);
  const asked = { ...period.value, ...(members && { members }) };
  const found = fromStore(await history.maxima({ ...asked, metrics: withPeaks(metrics.value) }));
  if (!found.ok) return found;
  const faults = query.flag('faults') ? fromStore(agent.events.faultCounts(asked)) : noFaults;
  if (!faults.ok) return faults;
  const { measuredSeconds, unknown, rows: measured } = found.value;
  const known = measuredSeconds > 0 ? metrics.value.filter((key) => !unknown.includes(key)) : [];
  const rows = entries.value.flatMap(({ who: { member } }): readonly MaximaRow[] => {
    const [own, hits] = [measured.get(member), faults.value.get(member)];
    if (own === undefined && hits === undefined && members === undefined) return [];
    return [
      {
        member,
        metrics: raised(known, own ?? {}),
        ...(query.flag('faults') && { faults: hits ?? {} }),
      },
    ];
  });
  return ok({ ...period.value, measuredSeconds, metrics: known, rows });
}

const noFaults = ok(new Map<Member, FaultCounts>());

/** Raises maxima to the kernel's high-water marks. The history has nothing of a metric that was always 0. */
const raised = (asked: readonly MetricKey[], found: MaximaRow['metrics']): MaximaRow['metrics'] =>
  Object.fromEntries(
    asked.map((key) => [key, Math.max(found[key] ?? 0, found[peakKeys.get(key) ?? key] ?? 0)]),
  );

export async function answerReplay(request: RequestContext): Promise<HttpResult<ReplayResponse>> {
  const { caller, history, query } = request;
  if (!isAdministrator(caller))
    return httpError({ status: 403, action: 'replay limits', reason: 'only root may' });
  const period = query.period(Date.now());
  if (!period.ok) return period;
  const metric = query.choice('metric', metricKeys);
  if (!metric.ok) return metric;
  const plus = query.choice('plus', metricKeys);
  if (!plus.ok) return plus;
  const points = query.whole('points', 60, pointsMax);
  if (!points.ok) return points;
  const limits = askedLimits(request);
  if (!limits.ok) return limits;
  const asked = {
    ...period.value,
    metric: metric.value ?? 'cpu',
    ...(plus.value !== undefined && { plus: plus.value }),
    points: Math.max(1, points.value),
  };
  const found = fromStore(await history.replays({ ...asked, limits: limits.value }));
  if (!found.ok) return found;
  const rows = [...found.value].map(([member, replay]): ReplayRow => ({ member, ...replay }));
  return ok({ ...asked, rows });
}

/** Returns the limits: one `above` is every tenant's; otherwise, the first is the first `tenant`'s, and so on. */
function askedLimits(request: RequestContext): HttpResult<ReadonlyMap<Member, number>> {
  const names = request.query.names('tenant');
  if (!names.ok) return names;
  const values = request.query.names('above');
  if (!values.ok) return values;
  const limits = new Map<Member, number>();
  const isOne = values.value.length === 1;
  for (const [index, name] of names.value.entries()) {
    const entry = namedEntry(request, name);
    if (!entry.ok) return entry;
    const limit = limitIn(values.value[isOne ? 0 : index]);
    if (limit === undefined || (!isOne && values.value.length !== names.value.length))
      return badLimits;
    limits.set(entry.value.who.member, limit);
  }
  return ok(limits);
}

function limitIn(text = ''): number | undefined {
  const limit = Number(text);
  return text.trim() !== '' && Number.isFinite(limit) && limit >= 0 ? limit : undefined;
}

const badLimits = httpError({
  status: 400,
  action: 'read the parameter',
  object: 'above',
  reason: 'there must be one for all tenants or one for each, and none below 0',
});
