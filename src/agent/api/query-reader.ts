/** The parameters of a request, from the query of its URL. */
import { ok } from '../../../packages/base/result.ts';
import type { HistoryPeriod } from '../../store/history/history-query.ts';
import { httpError, type HttpResult } from './http-result.ts';

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

  /** Reads a period in milliseconds since 1970; default: the last hour. */
  period(now: number, defaultLength = 3_600_000): HttpResult<HistoryPeriod> {
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
