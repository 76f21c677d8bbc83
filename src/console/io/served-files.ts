/** The files of the page, read once: whatever a request asks for, nothing is opened for it. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { causedBy, failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { fileHeaders, type Headers } from '../core/headers.ts';
import { parseManifest, type ManifestFile } from '../core/manifest.ts';

interface ServedFile {
  readonly headers: Headers;
  readonly etag: string;
  readonly body: Uint8Array;
  /** The same, compressed by brotli. */
  readonly brotli?: Uint8Array;
}

/** Files by the path of the URL. */
export type ServedFiles = ReadonlyMap<string, ServedFile>;

const bytesMax = 4 * 2 ** 20;
const manifestBytesMax = 64 * 1024;

export function readServedFiles(directory: string): Result<ServedFiles, Problem> {
  const object = `${directory}/manifest.json`;
  const read = readBounded(object, manifestBytesMax);
  if (!read.ok) return read;
  const manifest = parseManifest(decodeText(read.value));
  if (!manifest.ok) return failed({ action: 'use the list of files', object, ...manifest.error });
  const files = new Map<string, ServedFile>();
  for (const each of manifest.value) {
    const file = readFile(directory, each);
    if (!file.ok)
      return failed({ action: 'use the list of files', object, ...causedBy(file.error) });
    files.set(each.path, file.value);
  }
  return ok(files);
}

function readFile(
  directory: string,
  { file, type, isImmutable, hasBrotli }: ManifestFile,
): Result<ServedFile, Problem> {
  const body = readBounded(`${directory}/${file}`, bytesMax, { links: 'refuse' });
  if (!body.ok) return body;
  const brotli = hasBrotli
    ? readBounded(`${directory}/${file}.br`, bytesMax, { links: 'refuse' })
    : ok(undefined);
  if (!brotli.ok) return brotli;
  const hash = createHash('sha256').update(body.value).digest('base64url').slice(0, 22);
  return ok({
    headers: { ...fileHeaders(isImmutable), 'content-type': type, vary: 'accept-encoding' },
    etag: `"${hash}"`,
    body: body.value,
    ...(brotli.value !== undefined && { brotli: brotli.value }),
  });
}

export function sendFile(
  file: ServedFile,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const accepts = /(?:^|,)\s*br\s*(?:,|$)/.test(
    request.headers['accept-encoding']?.toString() ?? '',
  );
  const brotli = accepts ? file.brotli : undefined;
  // The two are different bytes.
  const etag = brotli === undefined ? file.etag : file.etag.replace(/"$/, '-br"');
  const headers = { ...file.headers, etag };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers).end();
    return;
  }
  const body = brotli ?? file.body;
  response.writeHead(200, {
    ...headers,
    'content-length': body.byteLength,
    ...(brotli !== undefined && { 'content-encoding': 'br' }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
