/** A host whose history is known, and the agent's answers about it. */
import type { HistoryWindowResponse } from '../../src/agent/history/history-api.ts';
import { answerHistoryWindow } from '../../src/agent/history/window.ts';
import type { Caller } from '../../src/agent/api/caller.ts';
import type { HttpResult } from '../../src/agent/api/http-result.ts';
import { QueryReader } from '../../src/agent/api/query-reader.ts';
import type { RequestContext } from '../../src/agent/api/request-context.ts';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import { EventStore } from '../../src/store/events/event-store.ts';
import { History } from '../../src/store/history/history.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import { resellerMember, tenantMember, type Member } from '../../src/usage/member.ts';
import { windowMilliseconds } from '../../src/usage/push/window.ts';
import { policyOf } from '../conformance/suite.ts';
import { Place, tickOf, value, type Use } from '../store/samples.ts';

export const [busy, idle, owned, reseller] = [64_501, 64_502, 64_503, 64_504];
export const minute = 60_000;
/** The number of windows that were recorded. */
export const windows = 6;
/** The end of the last window. */
export const end = Math.floor(Date.now() / windowMilliseconds) * windowMilliseconds;
export const begin = end - windows * windowMilliseconds;

/** Returns the CPU that was used in the minute that begins then. */
export const cpuOf = (at: number) => 0.25 + ((at - begin) / minute) * 0.125;
const usedIn = (at: number): Readonly<Record<Member, Use>> => {
  const use: Use = { cpu: cpuOf(at), memory: 3_000_000, read: 4096, processes: 3, threads: 3 };
  const member = tenantMember(busy);
  return {
    [member]: use,
    [tenantMember(idle)]: { memory: 1_000_000 },
    [tenantMember(owned)]: { cpu: 0.5 },
    [resellerMember(reseller)]: { cpu: 0.5 },
  };
};

export class RecordedHost implements AsyncDisposable {
  url: string | undefined;
  /** The time since which accounts have their uids. */
  beginning = 0;
  readonly #place = new Place();
  readonly #events = new EventStore(this.#place.directory);
  readonly #history = new History(this.#place.directory);
  readonly #members = new MemberIndex(
    policyOf(
      `<tenant uid="${busy}"/><tenant uid="${idle}"/>
       <reseller uid="${reseller}"><tenant uid="${owned}"/></reseller>`,
    ),
  );

  constructor() {
    using metrics = new MetricsStore(this.#place.directory);
    for (let at = begin; at < end; at += minute) {
      value(metrics.add(tickOf(at + minute, usedIn(at), 60)));
      const fault = {
        member: tenantMember(busy),
        limit: 'cpu.limit',
        severity: 'throttled',
      } as const;
      value(this.#events.addFaults(at, [{ ...fault, count: 2, inferred: false }]));
    }
  }

  readonly answer = (
    from: number,
    caller: Caller = { kind: 'uid', uid: 0 },
    account?: string,
  ): Promise<HttpResult<HistoryWindowResponse>> => {
    const agent = {
      memberIndex: this.#members,
      events: this.#events,
      history: this.#history,
      historyPush: this.url,
      membership: { beginningOf: () => this.beginning },
      console: { systemAccountOf: () => account },
    };
    const query = new QueryReader(new URLSearchParams({ from: `${from}` }));
    const request = new Request('http://bulkhead/v1/history/window');
    return answerHistoryWindow({ agent, caller, query, request } as unknown as RequestContext);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#history[Symbol.asyncDispose]();
    this.#place[Symbol.dispose]();
  }
}
