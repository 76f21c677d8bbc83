/** `GET /v1/top`: the usage of each member in the last tick. */
import { availableParallelism, totalmem } from 'node:os';
import type { TopResponse, TopRow } from '../api/api.ts';
import type { LatestSample } from '../sampling/latest-sample.ts';
import { countsToward, type MemberEntry } from '../sampling/member-index.ts';
import { ok } from '../../../packages/base/result.ts';
import type { HttpResult } from '../api/http-result.ts';
import type { RequestContext } from '../api/request-context.ts';
import { readStops } from '../../host/stops.ts';
import { askedEntries } from './members.ts';

export function answerTop(request: RequestContext): HttpResult<TopResponse> {
  const { latest, lastTick } = request.agent;
  const asked = askedEntries(request);
  if (!asked.ok) return asked;
  const entries = asked.value;
  const all = request.query.flag('all') || request.query.has('tenant');
  const stops = readStops({ state: request.agent.state });
  const isStopped = ({ who }: MemberEntry) => who.kind === 'tenant' && stops.has(who.uid);
  const shown = all
    ? entries
    : entries.filter((each) => isStopped(each) || !latest.isIdle(each.who.member));
  const rows = topRows(shown, latest, lastTick).map((row, index) => {
    const entry = shown[index];
    const now = entry && request.agent.cpuLimitNowOf(entry);
    return {
      ...row,
      ...(row.kind === 'tenant' && stops.has(row.uid) && { stopped: true as const }),
      ...(now !== undefined && { cpuLimitNow: now }),
    };
  });
  return ok({
    at: latest.tick.at,
    durationSeconds: latest.tick.seconds,
    host: { cores: availableParallelism(), memoryBytes: totalmem() },
    rows,
    idle: idleOf(entries, latest),
  });
}

/** Counts idle members without sites, which their tenants include. */
const idleOf = (entries: readonly MemberEntry[], latest: LatestSample) =>
  entries.filter(({ who }) => who.kind !== 'site' && latest.isIdle(who.member)).length;

/** Makes the rows; `lastTick` is the last tick's monotonic time. */
export function topRows(
  entries: readonly MemberEntry[],
  latest: LatestSample,
  lastTick: number,
): readonly TopRow[] {
  const recent = latest.recentFaults();
  const now = latest.limitsHitIn(lastTick);
  return entries.map(({ who, limits, limitTexts, source }) => ({
    ...who,
    usage: latest.usage(who.member),
    limits,
    limitTexts,
    ...(countsToward({ who, limits, source }) && { countsDatabases: true as const }),
    faults: recent.get(who.member) ?? {},
    limitsHit: now.get(who.member) ?? [],
  }));
}
