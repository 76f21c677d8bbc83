/**
 * Compression of the agent's answers. Only those to questions are compressed: the answer to a login code has a secret, and
 * is not. Several at once are bounded, and the rest go as they are.
 */
import { createGzip, type Gzip } from 'node:zlib';

/** Smaller answers fit into a packet or two. */
const bytesMin = 2048;
const atOnceMax = 8;
const level = 4;

interface Answer {
  readonly statusCode?: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export class Compression {
  #running = 0;

  /** Returns what compresses an answer; undefined if it goes as it is. */
  begin({ statusCode, headers }: Answer): Gzip | undefined {
    const length = Number(headers['content-length'] ?? Infinity);
    if (statusCode !== 200 || length < bytesMin || this.#running >= atOnceMax) return undefined;
    const gzip = createGzip({ level });
    this.#running++;
    gzip.once('close', () => this.#running--);
    return gzip;
  }
}

/** Whether a client takes gzip. Source: RFC 9110, section 12.5.3. */
export const acceptsGzip = (accepts: string | string[] | undefined): boolean =>
  /(?:^|,)\s*gzip\s*(?:;\s*q=(?:1|1\.0{1,3}|0\.[1-9]\d{0,2})\s*)?(?:,|$)/.test(
    accepts?.toString() ?? '',
  );
