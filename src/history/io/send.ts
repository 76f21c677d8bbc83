/**
 * Sends a request of remote write. VictoriaMetrics takes zstd, Prometheus only Snappy: it refuses anything else with
 * status 400 or 415, after which Snappy is tried.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { getCACertificates } from 'node:tls';
import { zstdCompressSync } from 'node:zlib';
import { printable } from '../../../packages/base/printable.ts';
import type { Compression } from '../core/push-state.ts';
import { snappy } from '../core/snappy.ts';

export interface Receiver {
  readonly url: string;
  readonly token?: string | undefined;
  /** The compression that it has accepted before. */
  readonly compression?: Compression | undefined;
}

export type Sent =
  | { readonly kind: 'taken'; readonly compression: Compression; readonly bytes: number }
  /** It will never take this request. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It may take it another time. */
  | { readonly kind: 'later'; readonly reason: string; readonly afterSeconds?: number };

const compressed: Readonly<Record<Compression, (bytes: Uint8Array) => Uint8Array>> = {
  zstd: (bytes) => zstdCompressSync(bytes),
  snappy,
};

export async function send(request: Uint8Array, receiver: Receiver): Promise<Sent> {
  const body = (by: Compression) => post(compressed[by](request), by, receiver);
  if (receiver.compression === 'snappy') return body('snappy');
  const sent = await body('zstd');
  return sent.kind === 'refused' && sent.mayBeCompression ? body('snappy') : sent;
}

type Answered = Exclude<Sent, { readonly kind: 'refused' }> | Refused;
interface Refused {
  readonly kind: 'refused';
  readonly reason: string;
  readonly mayBeCompression: boolean;
}

const timeoutMilliseconds = 60_000;

function post(
  body: Uint8Array,
  by: Compression,
  { url: text, token }: Receiver,
): Promise<Answered> {
  const url = new URL(text);
  const options: RequestOptions & { readonly ca?: string[] } = {
    method: 'POST',
    agent: false,
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': by,
      'content-length': body.length,
      'user-agent': 'bulkhead',
      'x-prometheus-remote-write-version': '0.1.0',
      ...(by === 'zstd' && { 'x-victoriametrics-remote-write-version': '1' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
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
      const reason = isLate ? `it took longer than ${timeoutMilliseconds / 1000} s` : error.message;
      resolve({ kind: 'later', reason });
    };
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
    request(url, options, (response) => {
      answered(response, by, body.length).then(resolve, stop);
    })
      .on('error', stop)
      .end(body);
  });
}

/** A wrong token or path, or a server that is busy, says nothing about the request. */
const passing: ReadonlySet<number> = new Set([401, 403, 404, 407, 408, 425, 429]);

async function answered(
  response: IncomingMessage,
  compression: Compression,
  bytes: number,
): Promise<Answered> {
  const { statusCode = 0, headers } = response;
  const said = await beginning(response);
  if (statusCode >= 200 && statusCode < 300) return { kind: 'taken', compression, bytes };
  // A redirect could lead to a host that root has not named.
  const where = statusCode >= 300 && statusCode < 400 ? ', which is not followed' : '';
  const reason = `the server answered with status ${statusCode}${where}${said === '' ? '' : `: ${said}`}`;
  if (statusCode >= 400 && statusCode < 500 && !passing.has(statusCode))
    return { kind: 'refused', reason, mayBeCompression: statusCode === 400 || statusCode === 415 };
  const after = Number(headers['retry-after'] ?? NaN);
  return { kind: 'later', reason, ...(after >= 0 && { afterSeconds: after }) };
}

const saidMax = 300;

/** Returns the beginning of what the server says. */
async function beginning(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) {
    text += chunk;
    if (text.length <= saidMax) continue;
    response.destroy();
    break;
  }
  return printable(text.slice(0, saidMax).trim());
}
