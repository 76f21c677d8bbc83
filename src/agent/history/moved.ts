/** `GET /v1/moved` and `GET /v1/moved/incidents/ID`: what came with a tenant from other hosts. */
import { ok } from '../../../packages/base/result.ts';
import type { MovedIncidentResponse } from '../api/api.ts';
import { fromStore, httpError, type HttpResult } from '../api/http-result.ts';
import type { RequestContext } from '../api/request-context.ts';
import type { MovedResponse } from './history-api.ts';
import { inFull, withWho } from '../responses/incidents.ts';
import { namedEntry } from '../responses/members.ts';
import { pointsMax } from '../responses/series.ts';
import { askedMetrics } from '../responses/usage.ts';

const incidentsMax = 1000;

export async function answerMoved(request: RequestContext): Promise<HttpResult<MovedResponse>> {
  const { query, agent, history } = request;
  const entry = namedEntry(request, query.text('tenant') ?? '');
  if (!entry.ok) return entry;
  const period = query.period(Date.now());
  if (!period.ok) return period;
  const metrics = askedMetrics(request);
  if (!metrics.ok) return metrics;
  const points = query.whole('points', 0, pointsMax);
  if (!points.ok) return points;
  const count = query.whole('count', 0, incidentsMax);
  if (!count.ok) return count;
  const { member, kind } = entry.value.who;
  const since = agent.membership.beginningOf(member);
  if (kind !== 'tenant' || !Number.isFinite(since)) return ok({ records: [] });
  const asked = { member, since, ...period.value, metrics: metrics.value };
  const found = await history.moved({ ...asked, points: points.value, count: count.value });
  if (!found.ok) return fromStore(found);
  return ok({ records: found.value.map(({ usage, ...each }) => ({ ...each, metrics: usage })) });
}

export async function answerMovedIncident(
  request: RequestContext,
  text: string,
): Promise<HttpResult<MovedIncidentResponse>> {
  const { query, agent, history } = request;
  const entry = namedEntry(request, query.text('tenant') ?? '');
  if (!entry.ok) return entry;
  const { member, kind } = entry.value.who;
  const since = agent.membership.beginningOf(member);
  const host = query.text('host') ?? '';
  const id = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  const isAsked = kind === 'tenant' && Number.isFinite(since) && !Number.isNaN(id);
  const read = isAsked
    ? fromStore(await history.movedIncident({ member, since, host, id }))
    : ok(undefined);
  if (!read.ok) return read;
  if (read.value === undefined)
    return httpError({
      status: 404,
      action: 'show incident',
      object: text,
      reason: 'that host has recorded none with that number that you may see',
    });
  const { evidence, ...rest } = read.value.incident;
  // Here it is this account's, whatever its name was there.
  const incident = { ...rest, member, name: '', snapshots: evidence.length };
  const row = withWho(incident, agent.memberIndex);
  return ok({ ...inFull(request, { incident, evidence }, row, entry.value), host });
}
