/** The result of a request: a value, or a failure with its HTTP status. */
import type { Problem } from '../../../packages/base/problem.ts';
import { fail, type Result } from '../../../packages/base/result.ts';
import type { HistoryFailure } from '../../store/history/history-query.ts';

/** The reason why a request gets no answer. */
export interface HttpError extends Problem {
  readonly status: 400 | 401 | 403 | 404 | 409 | 410 | 411 | 413 | 415 | 422 | 429 | 500 | 503;
  readonly retryAfterSeconds?: number;
}

export type HttpResult<T> = Result<T, HttpError>;

export const httpError = (error: HttpError): Result<never, HttpError> => fail(error);

/** Converts the answer of a store, whose failures are temporary. */
export const fromStore = <T>(result: Result<T, HistoryFailure>): HttpResult<T> =>
  result.ok ? result : httpError({ ...result.error, status: 503 });
