/**
 * Decides about each request to the console: a file, a question to the agent, a stream, or none of these.
 *
 * No right comes with a request by itself: there are no cookies, and what a proxy writes about the visitor is not read.
 * The agent decides what a token may do. This only keeps other sites' pages away, and bounds what reaches the agent.
 */
import { nameInHost, nameInOrigin } from './hosts.ts';

export interface GuardedRequest {
  readonly method: string;
  /** Path and query as they arrived. */
  readonly target: string;
  /** Names and values by turns, as they arrived. */
  readonly rawHeaders: readonly string[];
}

export interface Refusal {
  readonly kind: 'refused';
  readonly status: 400 | 401 | 403 | 404 | 405 | 413 | 415 | 421;
  readonly reason: string;
}

export interface PassedBody {
  readonly bytes: number;
  /** The `If-Match` header; absent if there is none. */
  readonly ifMatch?: string;
}

export type Verdict =
  | { readonly kind: 'file'; readonly path: string }
  /** `target` is normalized, and begins with `/v1/`. */
  | {
      readonly kind: 'api';
      readonly method: 'GET' | 'POST' | 'PUT';
      readonly target: string;
      readonly token: string;
      /** The body, which is passed on as it comes; absent if there is none. */
      readonly body?: PassedBody;
    }
  | { readonly kind: 'stream'; readonly token: string }
  /** A login code is in the body, which has this many bytes. */
  | { readonly kind: 'exchange'; readonly bytes: number }
  | Refusal;

const policyPath = '/v1/policy';
export const streamPath = '/v1/console/stream';
export const exchangePath = '/v1/console/session';
/** The most bytes of a login code's body. */
const exchangeBytesMax = 256;
/** The most bytes of a change of the policy. */
const policyBytesMax = 4 * 2 ** 20;
const policyPattern = /^\/v1\/policy(?:\/plan|\/keep|\/simulate|\/changes\/\d{1,15}\/undo)?$/;
const etagPattern = /^"[0-9a-f]{64}"$/;
const targetLengthMax = 8192;

const secretPattern = /^[A-Za-z0-9_-]{43}$/;
const targetPattern = /^\/[\x21-\x22\x24-\x5b\x5d-\x7e]*$/;
/** Headers that no request may have twice: the front and a proxy could each believe another one. */
const onlyOnce = [
  'host',
  'authorization',
  'origin',
  'sec-fetch-site',
  'content-length',
  'content-type',
  'if-match',
  'transfer-encoding',
];

const refuse = (status: Refusal['status'], reason: string): Refusal => ({
  kind: 'refused',
  status,
  reason,
});

export function judge(request: GuardedRequest, names: ReadonlySet<string>): Verdict {
  const { method, target } = request;
  const headers = headersOf(request.rawHeaders);
  if (headers === undefined) return refuse(400, 'a header is given twice');
  const name = nameInHost(headers.get('host') ?? '');
  if (name === undefined || !names.has(name))
    return refuse(421, 'the console does not have this name');
  if (target.length > targetLengthMax || !targetPattern.test(target))
    return refuse(400, 'the address is not valid');
  // The base is a part of the text: no target can name another host.
  const { pathname, search } = new URL(`http://console${target}`);
  const max = policyPattern.test(pathname) ? policyBytesMax : exchangeBytesMax;
  const bytes = bodyBytes(headers, max);
  if (bytes === undefined) return refuse(413, 'its body is too long, or has no length');
  if (!pathname.startsWith('/v1/')) return fileOf(method, pathname, bytes);
  const foreign = whyForeign(headers, name);
  if (foreign !== undefined) return refuse(403, foreign);
  if (method === 'POST' && pathname === exchangePath) return exchangeOf(headers, bytes);
  const question = questionOf(method, pathname, search, headers);
  return bytes === 0 ? question : withBody(question, pathname, headers, bytes);
}

/** Adds the body, whose type no form of another site can send. */
function withBody(
  question: Verdict,
  pathname: string,
  headers: ReadonlyMap<string, string>,
  bytes: number,
): Verdict {
  if (question.kind === 'refused') return question;
  if (question.kind !== 'api' || question.method === 'GET' || !policyPattern.test(pathname))
    return refuse(413, 'it has a body');
  if (!isJson(headers)) return refuse(415, 'its body is not JSON');
  const ifMatch = headers.get('if-match');
  if (ifMatch !== undefined && !etagPattern.test(ifMatch))
    return refuse(400, 'its If-Match is not an ETag of the policy');
  return { ...question, body: { bytes, ...(ifMatch !== undefined && { ifMatch }) } };
}

const isJson = (headers: ReadonlyMap<string, string>): boolean =>
  /^application\/json(?: *;|$)/i.test(headers.get('content-type') ?? '');

function fileOf(method: string, path: string, bytes: number): Verdict {
  if (method !== 'GET' && method !== 'HEAD') return refuse(405, 'files can only be read');
  return bytes === 0 ? { kind: 'file', path } : refuse(413, 'it has a body');
}

function questionOf(
  method: string,
  pathname: string,
  search: string,
  headers: ReadonlyMap<string, string>,
): Verdict {
  const isPut = method === 'PUT' && pathname === policyPath;
  if (method !== 'GET' && method !== 'POST' && !isPut)
    return refuse(405, 'only GET and POST are known, and PUT of the policy');
  const [, token = ''] = /^Bearer (\S+)$/.exec(headers.get('authorization') ?? '') ?? [];
  if (!secretPattern.test(token)) return refuse(401, 'it has no token');
  if (pathname !== streamPath) {
    const known = isPut ? 'PUT' : method === 'GET' ? 'GET' : 'POST';
    return { kind: 'api', method: known, target: pathname + search, token };
  }
  return method === 'GET' ? { kind: 'stream', token } : refuse(405, 'a stream can only be read');
}

/**
 * Returns the headers by their names in lower case; undefined if one is there twice that must not be. In HTTP/2 the name
 * of the host is in `:authority`.
 */
function headersOf(raw: readonly string[]): ReadonlyMap<string, string> | undefined {
  const headers = new Map<string, string>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase().replace(/^:authority$/, 'host');
    if (headers.has(name) && onlyOnce.includes(name)) return undefined;
    headers.set(name, raw[at + 1] ?? '');
  }
  return headers;
}

/** Returns the length of the body; undefined if it is not known beforehand, or too large. */
function bodyBytes(headers: ReadonlyMap<string, string>, max: number): number | undefined {
  if (headers.has('transfer-encoding')) return undefined;
  const text = headers.get('content-length') ?? '0';
  const bytes = /^\d{1,8}$/.test(text) ? Number(text) : Infinity;
  return bytes <= max ? bytes : undefined;
}

/**
 * Returns why a request to the API seems to come from another site's page. Browsers say so in `Sec-Fetch-Site`; where
 * they do not, as over plain HTTP, `Origin` must have the name of this console. Programs send neither.
 */
function whyForeign(headers: ReadonlyMap<string, string>, name: string): string | undefined {
  const site = headers.get('sec-fetch-site');
  if (site !== undefined)
    return site === 'same-origin' ? undefined : 'it comes from the page of another site';
  const origin = headers.get('origin');
  if (origin === undefined || nameInOrigin(origin) === name) return undefined;
  return 'it comes from the page of another site';
}

function exchangeOf(headers: ReadonlyMap<string, string>, bytes: number): Verdict {
  // Another site's form cannot send this type.
  if (!isJson(headers)) return refuse(415, 'its body is not JSON');
  return bytes === 0 ? refuse(400, 'it has no body') : { kind: 'exchange', bytes };
}

/** Returns the code in `{"code":"…"}`; undefined if there is none. */
export function codeIn(body: string): string | undefined {
  try {
    const { code } = (JSON.parse(body) ?? {}) as { readonly code?: unknown };
    return typeof code === 'string' && secretPattern.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
}
