/** `GET /v1/replay`: the recorded use of many members, each against a limit. Only administrators ask for it. */
import { ok } from '../../../packages/base/result.ts';
import type { Member } from '../../usage/member.ts';
import { metricKeys } from '../../usage/metrics.ts';
import type { ReplayResponse, ReplayRow } from '../api/api.ts';
import { isAdministrator } from '../api/caller.ts';
import { fromStore, httpError, type HttpResult } from '../api/http-result.ts';
import type { RequestContext } from '../api/request-context.ts';
import { namedEntry } from './members.ts';
import { pointsMax } from './series.ts';

export async function answerReplay(request: RequestContext): Promise<HttpResult<ReplayResponse>> {
  const { caller, history, query } = request;
  if (!isAdministrator(caller))
    return httpError({ status: 403, action: 'replay limits', reason: 'only root may' });
  const period = query.period(Date.now());
  if (!period.ok) return period;
  const metric = query.choice('metric', metricKeys);
  if (!metric.ok) return metric;
  const points = query.whole('points', 60, pointsMax);
  if (!points.ok) return points;
  const limits = askedLimits(request);
  if (!limits.ok) return limits;
  const asked = {
    ...period.value,
    metric: metric.value ?? 'cpu',
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
