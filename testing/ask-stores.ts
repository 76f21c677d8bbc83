/** Answers questions to the agent from a history and events, without the rest of the agent. */
import type { TopResponse } from '../src/agent/api/api.ts';
import { queryText, type Query } from '../src/agent/api/client.ts';
import type { HttpResult } from '../src/agent/api/http-result.ts';
import { QueryReader } from '../src/agent/api/query-reader.ts';
import type { RequestContext } from '../src/agent/api/request-context.ts';
import type { AskAgent } from '../src/agent/policy/simulate-limits.ts';

import { answerMaxima, answerReplay } from '../src/agent/responses/replay.ts';
import { answerSeries } from '../src/agent/responses/series.ts';
import { topRows } from '../src/agent/responses/top.ts';
import { answerUsage } from '../src/agent/responses/usage.ts';
import { LatestSample } from '../src/agent/sampling/latest-sample.ts';
import type { MemberIndex } from '../src/agent/sampling/member-index.ts';
import { fail, ok, type Result } from '../packages/base/result.ts';
import type { Problem } from '../packages/base/problem.ts';
import type { EventStore } from '../src/store/events/event-store.ts';
import type { HistoryView } from '../src/store/history/history.ts';

export interface Stores {
  /** The members and their limits now. */
  readonly memberIndex: MemberIndex;
  readonly events: EventStore;
  readonly history: HistoryView;
  /** Called with each question. */
  readonly onAsked?: (path: string) => void;
}

/** Returns a client of root's. Questions and answers are what a socket would carry. */
export function askStores({ memberIndex, events, history, onAsked }: Stores): AskAgent {
  const agent = {
    memberIndex,
    events,
    driver: undefined,
    membership: { beginningOf: () => 0 },
    mailOf: () => undefined,
    cpuLimitNowOf: () => undefined,
    entriesCountedSince: () => undefined,
  };
  const answers: Readonly<
    Record<string, (request: RequestContext) => Promise<HttpResult<unknown>>>
  > = {
    '/v1/top': () => Promise.resolve(ok(topOf(memberIndex))),
    '/v1/usage': answerUsage,

    '/v1/series': answerSeries,
    '/v1/maxima': answerMaxima,
    '/v1/replay': answerReplay,
  };
  return async <Response>(path: string, query: Query = {}): Promise<Result<Response, Problem>> => {
    const text = `${path}${queryText(query)}`;
    onAsked?.(text);
    const reader = new QueryReader(new URL(text, 'http://localhost').searchParams);
    const caller = { kind: 'uid', uid: 0 };
    const request = { agent, history, caller, query: reader } as unknown as RequestContext;
    const answered = await answers[path]?.(request);
    if (answered?.ok === false) return fail(answered.error);
    return ok(JSON.parse(JSON.stringify(answered?.value)) as Response);
  };
}

/** Everybody is idle. */
const topOf = ({ entries }: MemberIndex): TopResponse => ({
  at: 0,
  durationSeconds: 5,
  host: { cores: 4, memoryBytes: 2 ** 34 },
  rows: topRows([...entries.values()], new LatestSample(), 0),
  idle: entries.size,
});
