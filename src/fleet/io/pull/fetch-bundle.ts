/**
 * Gets a host's bundle from a web server. The server is trusted with nothing but to answer: whatever it sends is
 * verified by the agent. Its length, its time and its place are bounded here.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { getCACertificates } from 'node:tls';
import { failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { limits } from '../../core/parse.ts';

/** The answer of a server. */
export type Fetched =
  | { readonly kind: 'new'; readonly bundle: string; readonly etag: string | undefined }
  /** It is the one with the tag that was asked about. */
  | { readonly kind: 'same' };

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Returns the address of a host's bundle below an address of `from`. */
export const bundleUrl = (base: string, host: string): Result<URL, Cause> =>
  urlBelow(base, `hosts/${host}.json`);

/** Returns the address of the record of a rollout. */
export const rolloutUrl = (base: string): Result<URL, Cause> => urlBelow(base, 'rollout.json');

function urlBelow(base: string, path: string): Result<URL, Cause> {
  const url = URL.parse(base.endsWith('/') ? base : `${base}/`);
  if (url === null) return fail({ reason: 'it is not an address' });
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback.test(url.hostname)))
    return fail({
      reason: 'it is not https',
      hint: 'http is for 127.0.0.1 and ::1 only, where something else adds TLS',
    });
  if (url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '')
    return fail({ reason: 'it has more than a host and a path' });
  return ok(new URL(path, url));
}

/** Gets the bundle, unless it has this tag. */
export function fetchBundle(
  url: URL,
  etag: string | undefined,
  timeoutMilliseconds: number,
): Promise<Result<Fetched, Problem>> {
  const action = 'get the release from';
  const object = url.href;
  const options: RequestOptions & { readonly ca?: string[] } = {
    agent: false,
    headers: {
      accept: 'application/json',
      'user-agent': 'bulkhead',
      ...(etag !== undefined && { 'if-none-match': etag }),
    },
    signal: AbortSignal.timeout(timeoutMilliseconds),
    // The authorities of the host, to which administrators add their own, besides those of Node.
    ...(url.protocol === 'https:' && {
      ca: [...getCACertificates('default'), ...getCACertificates('system')],
    }),
  };
  return new Promise((resolve) => {
    const stop = (error: Error) => {
      const isLate = error.name === 'AbortError' || error.name === 'TimeoutError';
      const seconds = `${timeoutMilliseconds / 1000} s`;
      resolve(
        failed({
          action,
          object,
          reason: isLate ? `it took longer than ${seconds}` : error.message,
        }),
      );
    };
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
    request(url, options, (response) => {
      answerOf(response, etag)
        .then((answer) => resolve(answer.ok ? answer : failed({ action, object, ...answer.error })))
        .catch(stop);
    })
      .on('error', stop)
      .end();
  });
}

async function answerOf(
  response: IncomingMessage,
  etag: string | undefined,
): Promise<Result<Fetched, Cause>> {
  const { statusCode = 0, headers } = response;
  if (statusCode === 304 && etag !== undefined) {
    response.resume();
    return ok({ kind: 'same' });
  }
  if (statusCode !== 200) {
    response.destroy();
    // A redirect could lead to a host that root has not named.
    const where = statusCode >= 300 && statusCode < 400 ? ', which is not followed' : '';
    return fail({ reason: `the server answered with status ${statusCode}${where}` });
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limits.bundleChars) {
      response.destroy();
      return fail({ reason: `it has more than ${limits.bundleChars} bytes` });
    }
    chunks.push(chunk);
  }
  const bundle = Buffer.concat(chunks).toString('utf8');
  const tag = headers.etag;
  const isKept = tag !== undefined && isTag(tag) && isSettled(headers);
  return ok({ kind: 'new', bundle, etag: isKept ? tag : undefined });
}

const settledMilliseconds = 60_000;

/**
 * Whether a later change of the file will change its tag. Servers make tags of its size and its time in seconds, so two
 * releases of one second can have the same. Source: RFC 9110, section 8.8.1.
 */
function isSettled(headers: IncomingMessage['headers']): boolean {
  const age = Date.parse(headers.date ?? '') - Date.parse(headers['last-modified'] ?? '');
  return !(age < settledMilliseconds);
}

const tagMax = 200;
const isTag = (tag: string) => tag.length <= tagMax && /^(?:W\/)?"[\x21\x23-\x7e]*"$/.test(tag);
