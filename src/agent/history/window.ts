/** `GET /v1/history/window`: five minutes of the history, for `bulkhead history push`. */
import { hostname } from 'node:os';
import { ok } from '../../../packages/base/result.ts';
import type { HistoryPeriod, UsageHistory } from '../../store/history/history-query.ts';
import type { HistoryView } from '../../store/history/history.ts';
import {
  minutesInWindow,
  pushedMetrics,
  windowMilliseconds,
  type PushedMetric,
} from '../../usage/push/window.ts';
import { isAdministrator } from '../api/caller.ts';
import { fromStore, httpError, type HttpResult } from '../api/http-result.ts';
import type { RequestContext } from '../api/request-context.ts';
import { isSystemAccount } from '../api/system-account.ts';
import type { MemberEntry } from '../sampling/member-index.ts';
import type { HistoryMinutes, HistoryTenant, HistoryWindowResponse } from './history-api.ts';

/** The account of bulkhead-history-push.service. */
const account = 'bulkhead-history';
const action = 'show a window of the history';

export async function answerHistoryWindow(
  request: RequestContext,
): Promise<HttpResult<HistoryWindowResponse>> {
  const { agent } = request;
  if (!isAdministrator(request.caller) && !isSystemAccount(request, account))
    return httpError({ status: 403, action, reason: 'only root may' });
  const period = askedWindow(request);
  if (!period.ok) return period;
  // What is asked for by the account is asked for by root.
  const history = agent.history.askedBy('administrator', request.request.signal);
  const metrics = [...pushedMetrics];
  const used = fromStore(await history.usage({ ...period.value, metrics }));
  if (!used.ok) return used;
  // An average of an hour would be wrong for five minutes of it.
  if (used.value.detail === 'hours')
    return httpError({ status: 410, action, reason: 'its ticks are not kept any more' });
  const minutes = await minutesOf(request, history, period.value, used.value);
  if (!minutes.ok) return minutes;
  const tenants = tenantsOf(request, period.value, used.value);
  if (!tenants.ok) return tenants;
  return ok({
    url: agent.historyPush ?? null,
    host: agent.fleet?.status().host ?? hostname(),
    ...period.value,
    minutes: minutes.value,
    tenants: tenants.value,
  });
}

function askedWindow({ query }: RequestContext): HttpResult<HistoryPeriod> {
  const from = query.whole('from', 0, Number.MAX_SAFE_INTEGER);
  if (!from.ok) return from;
  const to = from.value + windowMilliseconds;
  const refused = (reason: string) =>
    httpError({ status: 400, action, object: `from=${from.value}`, reason });
  if (from.value === 0 || from.value % windowMilliseconds !== 0)
    return refused(`it must be a multiple of ${windowMilliseconds}`);
  if (to > Date.now()) return refused('the window has not ended');
  return ok({ from: from.value, to });
}

async function minutesOf(
  { agent }: RequestContext,
  history: HistoryView,
  period: HistoryPeriod,
  used: UsageHistory,
): Promise<HttpResult<readonly HistoryMinutes[]>> {
  const resellers = [...agent.memberIndex.entries.values()].filter(
    ({ who }) => who.kind === 'reseller' && used.rows.has(who.member),
  );
  const all: HistoryMinutes[] = [];
  for (const each of [undefined, ...resellers]) {
    const of = each?.who.member ?? ('tenants' as const);
    const query = { ...period, of, metrics: [...pushedMetrics], points: minutesInWindow };
    const found = fromStore(await history.columns(query));
    if (!found.ok) return found;
    const columns = pushedMetrics.flatMap((key) => {
      const averages = found.value.metrics.get(key)?.averages ?? [];
      return averages.some((average) => average !== null) ? [[key, averages] as const] : [];
    });
    all.push({
      ...(each !== undefined && { reseller: each.who.name, uid: each.who.uid }),
      seconds: found.value.seconds,
      metrics: Object.fromEntries(columns),
    });
  }
  return ok(all);
}

function tenantsOf(
  { agent }: RequestContext,
  period: HistoryPeriod,
  used: UsageHistory,
): HttpResult<readonly HistoryTenant[]> {
  const { from } = period;
  // Faults are counted by five minutes: those that begin in the window.
  const counted = fromStore(agent.events.faultCounts({ ...period, part: 'first' }));
  if (!counted.ok) return counted;
  const isItsOwn = ({ who }: MemberEntry) => agent.membership.beginningOf(who.member) <= from;
  const tenants = [...agent.memberIndex.entries.values()].filter(
    (entry) => entry.who.kind === 'tenant' && isItsOwn(entry),
  );
  return ok(
    tenants.flatMap(({ who: { member, name, uid, reseller } }) => {
      const row = used.rows.get(member) ?? {};
      const averages = pushedMetrics.flatMap((key) => {
        const average = row[key]?.average;
        return average === undefined ? [] : [[key, average] as const];
      });
      const metrics: HistoryTenant['metrics'] = Object.fromEntries(averages);
      const faults = counted.value.get(member) ?? {};
      const isIdle = Object.keys(faults).length === 0 && !rates.some((key) => metrics[key] ?? 0);
      const of = reseller === undefined ? {} : { reseller };
      return isIdle ? [] : [{ name, uid, ...of, metrics, faults }];
    }),
  );
}

/** The metrics without which a tenant is idle: its memory is what is left of earlier work. */
const rates: readonly PushedMetric[] = ['cpu', 'read', 'write', 'sent', 'received'];
