/** What answers are made from. */
import type { Driver } from '../../host/driver.ts';
import type { EvidenceReader } from '../../host/evidence/evidence-reader.ts';
import type { EventStore } from '../../store/event-store.ts';
import type { HistoryFailure } from '../../store/history-query.ts';
import type { History, HistoryView } from '../../store/history.ts';
import type { Result } from '../../units/result.ts';
import type { Live } from '../live.ts';
import type { Membership } from '../membership.ts';
import type { Roster } from '../roster.ts';
import type { AlertsTestAnswer, StatusAnswer } from '../api.ts';
import type { Viewer } from '../viewer.ts';

export interface AgentContext {
  readonly live: Live;
  readonly roster: Roster;
  readonly membership: Membership;
  readonly history: History;
  readonly events: EventStore;
  readonly evidence: EvidenceReader;
  /** Absent while there is no policy, or no driver. */
  readonly driver: Driver | undefined;
  readonly status: () => StatusAnswer;
  /** Looks at all processes first, so that what is outside is as of now. */
  readonly freshStatus: () => Promise<StatusAnswer>;
  readonly testAlerts: () => Promise<AlertsTestAnswer>;
  /** Monotonic time of the last tick. */
  readonly lastTick: number;
}

export interface Question {
  readonly agent: AgentContext;
  readonly viewer: Viewer;
  /** As the one who asks is answered. */
  readonly history: HistoryView;
  readonly query: QueryReader;
  /** What the one who asks would like to get. */
  readonly accept: string | undefined;
}

/** An expected failure of a request. */
export class Refusal extends Error {
  readonly status: 400 | 403 | 404 | 429 | 503;
  readonly retryAfterSeconds: number | undefined;

  constructor(status: Refusal['status'], message: string, retryAfterSeconds?: number) {
    super(message);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** What a store answers, or a refusal with its words. */
export function orRefuse<T>(result: Result<T, string | HistoryFailure>): T {
  if (result.ok) return result.value;
  const { error } = result;
  if (typeof error === 'string') throw new Refusal(503, error);
  throw new Refusal(503, error.text, error.retryAfterSeconds);
}

const mostNames = 2000;

/** Reads the query of a URL; what cannot be is refused with words. */
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
    if (all.length > mostNames) throw new Refusal(400, `More than ${mostNames} of "${name}"`);
    return all;
  }

  whole(name: string, usual: number, most: number): number {
    const text = this.text(name);
    if (text === undefined) return usual;
    if (!/^\d{1,15}$/.test(text)) {
      throw new Refusal(400, `"${name}" must be a whole number, not ${JSON.stringify(text)}`);
    }
    return Math.min(Number(text), most);
  }

  choice<T extends string>(name: string, known: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const found = known.find((each) => each === text);
    if (found === undefined) {
      throw new Refusal(400, `"${name}" must be one of ${known.join(', ')}`);
    }
    return found;
  }

  /** Milliseconds since 1970; the last hour where nothing is said. */
  period(now: number, usualLength = 3_600_000): { readonly from: number; readonly to: number } {
    const to = this.whole('to', now, Number.MAX_SAFE_INTEGER);
    const from = this.whole('from', to - usualLength, Number.MAX_SAFE_INTEGER);
    if (from >= to) throw new Refusal(400, 'The period ends before it begins');
    return { from, to };
  }
}
