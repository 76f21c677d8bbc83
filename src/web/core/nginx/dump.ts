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

const markText = '# configuration file ';
const mark = Buffer.from(markText);
const filesMax = 100_000;
const newline = 0x0a;
const utf8 = new TextDecoder();

/** A file whose text is decoded when it is needed: the texts of ten thousand are not kept next to their bytes. */
class FileInDump implements DumpedFile {
  readonly path: string;
  readonly #bytes: Uint8Array;

  constructor(path: string, bytes: Uint8Array) {
    this.path = path;
    this.#bytes = bytes;
  }

  get text(): string {
    return utf8.decode(this.#bytes);
  }
}

/** `sizeOf` returns the present size of a file in bytes, if it is known. */
export function splitNginxDump(
  dumped: Uint8Array,
  sizeOf: (path: string) => number | undefined,
): NginxDump {
  const bytes = Buffer.from(dumped.buffer, dumped.byteOffset, dumped.byteLength);
  const files: DumpedFile[] = [];
  for (let at = isMarkAt(bytes, 0) ? 0 : nextMark(bytes, 0); at < bytes.length;) {
    const nameEnd = bytes.indexOf(':\n', at);
    if (nameEnd === -1) break;
    if (files.length === filesMax)
      return { files, problems: [{ message: `it has more than ${filesMax} files` }] };
    const path = utf8.decode(bytes.subarray(at + mark.length, nameEnd));
    const begin = nameEnd + 2;
    const end = endBySize(bytes, begin, sizeOf(path)) ?? nextMark(bytes, begin);
    files.push(new FileInDump(path, bytes.subarray(begin, end)));
    at = isMarkAt(bytes, end) ? end : nextMark(bytes, end);
  }
  return { files, problems: [] };
}

const isMarkAt = (bytes: Buffer, at: number): boolean =>
  bytes.subarray(at, at + mark.length).equals(mark);

/** Returns the end by the file's size, if a newline and then a mark follow there. */
function endBySize(bytes: Buffer, begin: number, size: number | undefined): number | undefined {
  if (size === undefined || bytes[begin + size] !== newline) return undefined;
  const end = begin + size + 1;
  return end === bytes.length || isMarkAt(bytes, end) ? end : undefined;
}

function nextMark(bytes: Buffer, from: number): number {
  const found = bytes.indexOf(`\n${markText}`, Math.max(0, from - 1));
  return found === -1 ? bytes.length : found + 1;
}
