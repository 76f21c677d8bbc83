/** Requests to the front, by addresses relative to the page: a proxy may serve the console below any path. */
import type { ErrorResponse } from '../../../agent/api/api.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { words } from './language.ts';

export type FailureKind =
  | 'no answer'
  | 'ended'
  | 'forbidden'
  | 'wrong name'
  | 'too many'
  | 'starting'
  | 'other';

export interface Failure {
  readonly kind: FailureKind;
  /** 0 if there was no answer. */
  readonly status: number;
  /** The answer of the agent; absent if it was not the agent that answered. */
  readonly error?: ErrorResponse;
}

export type Query = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

export interface RequestOptions {
  readonly method?: 'GET' | 'POST' | 'PUT';
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: object;
  /** The ETag, without quotes, of the text that a change is made to. */
  readonly ifMatch?: string;
  readonly signal?: AbortSignal;
}

const kinds: ReadonlyMap<number, FailureKind> = new Map([
  [401, 'ended'],
  [403, 'forbidden'],
  [421, 'wrong name'],
  [429, 'too many'],
  [502, 'no answer'],
  [503, 'starting'],
  [504, 'no answer'],
]);

export const failureOf = (status: number, error?: ErrorResponse): Failure => ({
  kind: status === 0 ? 'no answer' : (kinds.get(status) ?? 'other'),
  status,
  ...(error !== undefined && { error }),
});

/** Asks with a token. What calls this for a page of the console is `useAnswer` or `ask`. */
export const request = <Answer>(
  token: string,
  path: string,
  { method = 'GET', query = {}, body, ifMatch, signal }: RequestOptions = {},
): Promise<Result<Answer, Failure>> =>
  send(`${path}${searchOf(query)}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(ifMatch !== undefined && { 'if-match': `"${ifMatch}"` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal !== undefined && { signal }),
  });

export const exchangeCode = <Answer>(code: string): Promise<Result<Answer, Failure>> =>
  send('v1/console/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code }),
  });

async function send<Answer>(path: string, init: RequestInit): Promise<Result<Answer, Failure>> {
  try {
    const response = await fetch(path, { ...init, credentials: 'omit', cache: 'no-store' });
    if (response.ok) return ok((await response.json()) as Answer);
    return fail(failureOf(response.status, errorIn(await response.text())));
  } catch {
    return fail(failureOf(0));
  }
}

export function errorIn(text: string): ErrorResponse | undefined {
  try {
    const body = JSON.parse(text) as Partial<ErrorResponse> | null;
    return typeof body?.error === 'string' ? (body as ErrorResponse) : undefined;
  } catch {
    return undefined;
  }
}

function searchOf(query: Query): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined || value === false) continue;
    for (const each of Array.isArray(value) ? (value as readonly string[]) : [value])
      search.append(key, each === true ? '1' : String(each));
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

/** Returns what a failure means for the reader. The agent's own words follow it, see the component `FailureNote`. */
export function failureWords({ kind, status }: Failure): string {
  const { errors } = words.value;
  switch (kind) {
    case 'no answer':
      return errors.noAnswer;
    case 'ended':
      return errors.signIn;
    case 'forbidden':
      return errors.forbidden;
    case 'wrong name':
      return errors.wrongName(location.hostname);
    case 'too many':
      return errors.tooMany;
    case 'starting':
      return errors.starting;
    case 'other':
      return errors.other(status);
  }
}
