/** What responses are made from. */
import type { Driver } from '../../host/driver.ts';
import type { EvidenceReader } from '../../host/evidence/evidence-reader.ts';
import type { EventStore } from '../../store/events/event-store.ts';
import type { HistoryFailure } from '../../store/history/history-query.ts';
import type { History, HistoryView } from '../../store/history/history.ts';
import type { Result } from '../../base/result.ts';
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

/** An expected failure of a request. */
export class HttpError extends Error {
  readonly status: 400 | 403 | 404 | 429 | 503;
  readonly retryAfterSeconds: number | undefined;

  constructor(status: HttpError['status'], message: string, retryAfterSeconds?: number) {
    super(message);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The value, or an HTTP error with the message. */
export function orThrow<T>(result: Result<T, string | HistoryFailure>): T {
  if (result.ok) return result.value;
  const { error } = result;
  if (typeof error === 'string') throw new HttpError(503, error);
  throw new HttpError(503, error.text, error.retryAfterSeconds);
}

const namesMax = 2000;

/** Reads the query of a URL; throws an HTTP error for invalid values. */
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

  names(name: string): readonly string[] {
    const all = this.#query.getAll(name);
    if (all.length > namesMax) throw new HttpError(400, `More than ${namesMax} of "${name}"`);
    return all;
  }

  whole(name: string, defaultValue: number, max: number): number {
    const text = this.text(name);
    if (text === undefined) return defaultValue;
    if (!/^\d{1,15}$/.test(text)) {
      throw new HttpError(400, `"${name}" must be a whole number, not ${JSON.stringify(text)}`);
    }
    return Math.min(Number(text), max);
  }

  choice<T extends string>(name: string, known: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const found = known.find((each) => each === text);
    if (found === undefined) {
      throw new HttpError(400, `"${name}" must be one of ${known.join(', ')}`);
    }
    return found;
  }

  /** Milliseconds since 1970; default: the last hour. */
  period(now: number, defaultLength = 3_600_000): { readonly from: number; readonly to: number } {
    const to = this.whole('to', now, Number.MAX_SAFE_INTEGER);
    const from = this.whole('from', to - defaultLength, Number.MAX_SAFE_INTEGER);
    if (from >= to) throw new HttpError(400, '"from" must be before "to"');
    return { from, to };
  }
}
