/** The bodies of requests, which only a few may have. */
import { ok } from '../../../packages/base/result.ts';
import { httpError, type HttpResult } from './http-result.ts';

const paths =
  /^\/v1\/(?:fleet\/(?:release|record)|policy(?:\/plan|\/keep|\/simulate|\/changes\/\d{1,15}\/undo)?)$/;

/** Whether a request may have a body; who may send how much is decided later. */
export const takesBody = (method: string | undefined, url = ''): boolean =>
  (method === 'POST' || method === 'PUT') && paths.test(url.split('?')[0] ?? '');

/** Reads a JSON body whose length was announced. */
export async function bodyOf(request: Request, bytesMax: number): Promise<HttpResult<Uint8Array>> {
  const action = 'read the request';
  const length = request.headers.get('content-length') ?? '';
  if (!/^\d{1,10}$/.test(length) || request.headers.has('transfer-encoding'))
    return httpError({ status: 411, action, reason: 'it does not announce its length' });
  if (Number(length) > bytesMax)
    return httpError({ status: 413, action, reason: `its body has more than ${bytesMax} bytes` });
  // Another site's form cannot send this type.
  if (!/^application\/json(?: *;|$)/i.test(request.headers.get('content-type') ?? ''))
    return httpError({ status: 415, action, reason: 'its body is not JSON' });
  try {
    return ok(new Uint8Array(await request.arrayBuffer()));
  } catch {
    return httpError({ status: 400, action, reason: 'its body did not arrive' });
  }
}

/** Returns the ETag that the client has seen: `If-Match: "…"`. */
export function etagOf(request: Request): string | undefined {
  const [, etag] = /^"([0-9a-f]{64})"$/.exec(request.headers.get('if-match') ?? '') ?? [];
  return etag;
}
