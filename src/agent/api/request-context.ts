/** What responses are made from. */
import type { Driver } from '../../host/driver.ts';
import type { EvidenceReader } from '../../host/evidence/evidence-reader.ts';
import type { EventStore } from '../../store/events/event-store.ts';
import type { HistoryFailure, Period } from '../../store/history/history-query.ts';
import type { History, HistoryView } from '../../store/history/history.ts';
import type { Problem } from '../../base/problem.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { LatestSample } from '../sampling/latest-sample.ts';
import type { Membership } from '../sampling/membership.ts';
import type { MemberIndex } from '../sampling/member-index.ts';
import type { AlertsTestResponse, StatusResponse } from './api.ts';
import type { Caller } from './caller.ts';

export interface AgentContext {
  readonly latest: LatestSample;
  readonly memberIndex: MemberIndex;
  readonly membership: Membership;
  readonly history: History;
  readonly events: EventStore;
  readonly evidence: EvidenceReader;
  /** Absent if there is no policy or no driver. */
  readonly driver: Driver | undefined;
  readonly status: () => StatusResponse;
  /** Scans all processes first, so that the list of processes outside is current. */
  readonly freshStatus: () => Promise<StatusResponse>;
  readonly testAlerts: () => Promise<AlertsTestResponse>;
  /** Monotonic time of the last tick. */
  readonly lastTick: number;
}

export interface RequestContext {
  readonly agent: AgentContext;
  readonly caller: Caller;
  /** Who sent the request. */
  readonly history: HistoryView;
  readonly query: QueryReader;
  /** The parameters of the request. */
  readonly accept: string | undefined;
}

/** Why a request gets no answer. */
export interface HttpError extends Problem {
  readonly status: 400 | 403 | 404 | 413 | 429 | 500 | 503;
  readonly retryAfterSeconds?: number;
}

export type HttpResult<T> = Result<T, HttpError>;

export const httpError = (error: HttpError): Result<never, HttpError> => fail(error);

/** What a store answers; its failures are temporary. */
export const fromStore = <T>(result: Result<T, HistoryFailure>): HttpResult<T> =>
  result.ok ? result : httpError({ ...result.error, status: 503 });

const namesMax = 2000;

const badParameter = (name: string, reason: string) =>
  httpError({ status: 400, action: 'read the parameter', object: name, reason });

/** Reads the query of a URL; an HTTP error for invalid values. */
export class QueryReader {
  readonly #query: URLSearchParams;

  constructor(query: URLSearchParams) {
    this.#query = query;
  }

  text(name: string): string | undefined {
    return this.#query.get(name) ?? undefined;
  }

  flag(name: string): boolean {
    return this.#query.get(name) === '1';
  }

  has(name: string): boolean {
    return this.#query.has(name);
  }

  names(name: string): HttpResult<readonly string[]> {
    const all = this.#query.getAll(name);
    return all.length > namesMax
      ? badParameter(name, `it is given more than ${namesMax} times`)
      : ok(all);
  }

  whole(name: string, defaultValue: number, max: number): HttpResult<number> {
    const text = this.text(name);
    if (text === undefined) return ok(defaultValue);
    if (!/^\d{1,15}$/.test(text)) {
      return badParameter(name, `it must be a whole number, not ${JSON.stringify(text)}`);
    }
    return ok(Math.min(Number(text), max));
  }

  choice<T extends string>(name: string, known: readonly T[]): HttpResult<T | undefined> {
    const text = this.text(name);
    if (text === undefined) return ok(undefined);
    const found = known.find((each) => each === text);
    return found === undefined
      ? badParameter(name, `it must be one of ${known.join(', ')}`)
      : ok(found);
  }

  /** Milliseconds since 1970; default: the last hour. */
  period(now: number, defaultLength = 3_600_000): HttpResult<Period> {
    const to = this.whole('to', now, Number.MAX_SAFE_INTEGER);
    if (!to.ok) return to;
    const from = this.whole('from', to.value - defaultLength, Number.MAX_SAFE_INTEGER);
    if (!from.ok) return from;
    if (from.value < to.value) return ok({ from: from.value, to: to.value });
    return httpError({
      status: 400,
      action: 'read the period',
      reason: 'it ends before it begins',
      hint: '"from" must be before "to"',
    });
  }
}
