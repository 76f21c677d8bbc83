/**
 * `GET /v1/console/frame`: the last tick in columns, for pages that show it live. The front fetches one for each audience
 * and tick, and sends it to every page of that audience without reading it. Headers tell it the rest.
 *
 *     ?generation=N    the generation that the pages know: a frame of another one has the ticks before, too
 */
import { availableParallelism, totalmem } from 'node:os';
import { ok } from '../../../packages/base/result.ts';
import type { Member } from '../../usage/member.ts';
import {
  frameMetrics,
  type ConsoleFrame,
  type ConsolePast,
  type FrameMetric,
} from '../api/console-api.ts';
import { isAdministrator, seesSince, visibleEntries, type Caller } from '../api/caller.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import type { AgentContext, RequestContext } from '../api/request-context.ts';
import type { FaultCounts, LatestSample } from '../sampling/latest-sample.ts';
import type { MemberEntry } from '../sampling/member-index.ts';

const digits = 4;
/** Frames are kept until the next tick, for audiences of which many pages begin at once. */
const keptCharactersMax = 4 * 2 ** 20;

export function answerFrame(request: RequestContext): HttpResult<Response> {
  const { agent, caller, query } = request;
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
  const withPast = query.text('generation') !== `${generation}`;
  const key = `${audience} ${withPast}`;
  const kept = keptFrames(agent);
  const text =
    kept.find(key) ?? kept.keep(key, JSON.stringify(frameOf(request, entries, withPast)));
  const sinceTick = (performance.now() - lastTick) / 1000;
  const headers = {
    'content-type': 'application/json',
    'bulkhead-audience': audience,
    'bulkhead-tick': `${latest.tick.at} ${generation}`,
    'bulkhead-revision': `${agent.console.revision} ${generation}`,
    'bulkhead-next-seconds': Math.max(0, intervalSeconds - sinceTick).toFixed(3),
  };
  return ok(new Response(text, { headers }));
}

function frameOf(
  { agent, caller }: RequestContext,
  entries: readonly MemberEntry[],
  withPast: boolean,
): ConsoleFrame {
  const { latest, generation } = agent;
  const hits = latest.limitsHitNow();
  const faults = latest.recentFaults();
  const shown = entries.filter(({ who }) => !latest.isIdle(who.member) || hits.has(who.member));
  const members = shown.map(({ who }) => who.member);
  return {
    at: latest.tick.at,
    durationSeconds: latest.tick.seconds,
    generation,
    host: { cores: availableParallelism(), memoryBytes: totalmem() },
    members,
    usage: columnsOf(members, latest),
    ...partsOf(members, latest),
    limitsHit: members.map((member) => [...(hits.get(member) ?? [])]),
    limitsNear: members.map((member) =>
      latest.limitsNear(member).filter((key) => hits.get(member)?.has(key) !== true),
    ),
    faults: members.map((member) => countOf(faults.get(member))),
    idle: entries.length - members.length,
    ...(withPast && { past: pastOf(agent, caller, shown) }),
  };
}

function columnsOf(members: readonly Member[], latest: LatestSample): ConsoleFrame['usage'] {
  const usages = members.map((member) => latest.usage(member));
  const column = (key: FrameMetric) => usages.map((usage) => rounded(usage[key]));
  return Object.fromEntries(frameMetrics.map((key) => [key, column(key)])) as Record<
    FrameMetric,
    number[]
  >;
}

function partsOf(members: readonly Member[], latest: LatestSample): Pick<ConsoleFrame, 'parts'> {
  const { known = [] } = latest.tick;
  if (known.length === 0) return {};
  const usages = members.map((member) => latest.usage(member));
  const columns = known.map((key) => {
    const values = usages.map(({ [key]: value }) => (value === undefined ? null : rounded(value)));
    return [key, values] as const;
  });
  return { parts: Object.fromEntries(columns) };
}

/** Returns the ticks before, as far as the caller may see them. */
function pastOf(
  { latest, membership }: AgentContext,
  caller: Caller,
  shown: readonly MemberEntry[],
): ConsolePast {
  const { at, cpu } = latest.course.of(shown.map(({ who }) => who.member));
  const seen = cpu.map((values, row) => {
    const entry = shown[row];
    const since = entry === undefined ? Infinity : seesSince(caller, entry, membership);
    return values.map((value, index) =>
      value === null || (at[index] ?? 0) < since ? null : rounded(value),
    );
  });
  return { at, cpu: seen };
}

const rounded = (value: number) => Number(value.toPrecision(digits));

const countOf = (counts: FaultCounts = {}) =>
  Object.values(counts).reduce<number>((sum, each = 0) => sum + each, 0);

/** Returns a name that is the same for all sessions that see the same. */
function audienceOf(caller: Caller): string | undefined {
  if (caller.kind !== 'session') return undefined;
  if (isAdministrator(caller)) return 'all';
  const { uid, byUid } = caller;
  return byUid === 0 || byUid === uid ? `uid ${uid}` : `uid ${uid} by ${byUid}`;
}

/** The frames of one tick by audience. */
class KeptFrames {
  readonly #texts = new Map<string, string>();
  #characters = 0;
  readonly of: string;

  constructor(of: string) {
    this.of = of;
  }

  find(key: string): string | undefined {
    return this.#texts.get(key);
  }

  keep(key: string, text: string): string {
    this.#characters += text.length;
    if (this.#characters <= keptCharactersMax) this.#texts.set(key, text);
    return text;
  }
}

const framesOf = new WeakMap<LatestSample, KeptFrames>();

function keptFrames({ latest, generation }: AgentContext): KeptFrames {
  const of = `${latest.ticks} ${generation}`;
  const known = framesOf.get(latest);
  if (known?.of === of) return known;
  const fresh = new KeptFrames(of);
  framesOf.set(latest, fresh);
  return fresh;
}
