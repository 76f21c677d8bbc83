/** The differences between requests of HTTP/1.1 and of HTTP/2, which Node.js gives the same interface otherwise. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Writable } from 'node:stream';

const streamOf = (message: object): ServerHttp2Stream | undefined =>
  (message as { readonly stream?: ServerHttp2Stream }).stream;

/** Whether other requests share the connection; HTTP/2 itself bounds how many. */
export const isShared = (request: IncomingMessage): boolean => streamOf(request) !== undefined;

/** Ends an answer at once, and its connection if that carries nothing else. */
export function drop(message: IncomingMessage | ServerResponse): void {
  const stream = streamOf(message);
  if (stream === undefined) message.destroy();
  else stream.close(constants.NGHTTP2_CANCEL);
}

export const isGone = (response: ServerResponse): boolean =>
  (streamOf(response) ?? response).destroyed || response.writableEnded;

/** Returns what takes the body, after the headers. */
export const bodyOf = (response: ServerResponse): Writable => streamOf(response) ?? response;
