/**
 * `GET /v1/console/frame`: the last tick in columns, for pages that show it live. The front fetches one for each audience
 * and tick, and sends it to every page of that audience without reading it. Headers tell it the rest.
 */
import { availableParallelism, totalmem } from 'node:os';
import { ok } from '../../../packages/base/result.ts';
import { metricKeys, type MetricKey } from '../../usage/metrics.ts';
import type { ConsoleFrame } from '../api/console-api.ts';
import { isAdministrator, visibleEntries, type Caller } from '../api/caller.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import type { RequestContext } from '../api/request-context.ts';

const digits = 4;

export function answerFrame({ agent, caller }: RequestContext): HttpResult<Response> {
  const audience = audienceOf(caller);
  if (audience === undefined) {
    const reason = 'only sessions of the console get frames';
    return httpError({ status: 403, action: 'show the last tick', reason });
  }
  const entries = visibleEntries(caller, agent.memberIndex);
  if (entries.length === 0 && !isAdministrator(caller)) {
    const reason = 'you are not a tenant of this host any more';
    return httpError({ status: 403, action: 'show the last tick', reason });
  }
  const { latest, generation, lastTick, intervalSeconds } = agent;
  const busy = entries.filter(({ who }) => !latest.isIdle(who.member));
  const usages = busy.map(({ who }) => latest.usage(who.member));
  const column = (key: MetricKey) => usages.map((usage) => Number(usage[key].toPrecision(digits)));
  const hits = latest.limitsHitIn(lastTick);
  const frame: ConsoleFrame = {
    at: latest.tick.at,
    durationSeconds: latest.tick.seconds,
    generation,
    host: { cores: availableParallelism(), memoryBytes: totalmem() },
    members: busy.map(({ who }) => who.member),
    usage: Object.fromEntries(metricKeys.map((key) => [key, column(key)])) as Record<
      MetricKey,
      number[]
    >,
    limitsHit: busy.map(({ who }) => hits.get(who.member) ?? []),
    idle: entries.length - busy.length,
  };
  const sinceTick = (performance.now() - lastTick) / 1000;
  const headers = {
    'bulkhead-audience': audience,
    'bulkhead-revision': `${agent.console.revision} ${generation}`,
    'bulkhead-next-seconds': Math.max(0, intervalSeconds - sinceTick).toFixed(3),
  };
  return ok(Response.json(frame, { headers }));
}

/** Returns a name that is the same for all sessions that see the same. */
function audienceOf(caller: Caller): string | undefined {
  if (caller.kind !== 'session') return undefined;
  if (isAdministrator(caller)) return 'all';
  const { uid, byUid } = caller;
  return byUid === 0 || byUid === uid ? `uid ${uid}` : `uid ${uid} by ${byUid}`;
}
