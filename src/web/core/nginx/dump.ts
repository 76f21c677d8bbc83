/**
 * Splits the output of `nginx -T` into the files that it was made from.
 *
 *     # configuration file /etc/nginx/nginx.conf:
 *     user www-data;
 *
 *     # configuration file /etc/nginx/mime.types:
 *
 * A comment in a file can look like such a mark. So a file ends after its size on disk if that fits, and
 * otherwise at the next mark.
 * Source: nginx.c, ngx_core_module's dump of `cycle->config_dump`.
 */
import type { ReadProblem } from '../directive.ts';

export interface DumpedFile {
  readonly path: string;
  readonly text: string;
}

interface NginxDump {
  /** The main file first, the others in the order in which they were first included. */
  readonly files: readonly DumpedFile[];
  readonly problems: readonly ReadProblem[];
}

const mark = '# configuration file ';
const filesMax = 100_000;
/** Decodes each byte to one character, so that offsets in the text are offsets in the bytes. */
const byteText = new TextDecoder('latin1');
const utf8 = new TextDecoder();

/** `sizeOf` returns the present size of a file in bytes, if it is known. */
export function splitNginxDump(
  bytes: Uint8Array,
  sizeOf: (path: string) => number | undefined,
): NginxDump {
  const text = byteText.decode(bytes);
  const files: DumpedFile[] = [];
  for (let at = text.indexOf(mark) === 0 ? 0 : nextMark(text, 0); at < text.length;) {
    const nameEnd = text.indexOf(':\n', at);
    if (nameEnd === -1) break;
    if (files.length === filesMax)
      return { files, problems: [{ message: `it has more than ${filesMax} files` }] };
    const path = utf8.decode(bytes.subarray(at + mark.length, nameEnd));
    const begin = nameEnd + 2;
    const end = endBySize(text, begin, sizeOf(path)) ?? nextMark(text, begin);
    files.push({ path, text: utf8.decode(bytes.subarray(begin, end)) });
    at = text.startsWith(mark, end) ? end : nextMark(text, end);
  }
  return { files, problems: [] };
}

/** Returns the end by the file's size, if a newline and then a mark follow there. */
function endBySize(text: string, begin: number, size: number | undefined): number | undefined {
  if (size === undefined || text[begin + size] !== '\n') return undefined;
  const end = begin + size + 1;
  return end === text.length || text.startsWith(mark, end) ? end : undefined;
}

function nextMark(text: string, from: number): number {
  const found = text.indexOf(`\n${mark}`, Math.max(0, from - 1));
  return found === -1 ? text.length : found + 1;
}
