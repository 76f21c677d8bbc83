/** Text files of boot loaders, read as root. Damaged ones are refused: a boot loader might read them in another way. */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { decodeText } from '../../../../packages/base/io/regular-file.ts';
import { at, type BootHost } from '../../../host/boot/boot-host.ts';
import { readHostFile, type FileContent } from '../../../sys/files/host-file.ts';
import type { BootRecord, FileRole } from '../../core/boot/record.ts';

/** A file that is to be changed. Its path is below the root, without the first slash. */
export interface BootEdit {
  readonly path: string;
  readonly role: FileRole;
  readonly before: FileContent | undefined;
  /** The wanted text; undefined if a program of the boot loader writes it. */
  readonly after: string | undefined;
}

export interface BootFile {
  readonly content: FileContent;
  readonly text: string;
}

/** The host, with the change of ours that is written already: the next one is added to it. */
export interface PlannedHost extends BootHost {
  readonly earlier?: BootRecord | undefined;
}

const bytesMax = 2 ** 20;

/** Reads the file; undefined if there is none. */
export function readBootFile(host: BootHost, path: string): Result<BootFile | undefined, Problem> {
  const object = at(host, path);
  const read = readHostFile({ path: object });
  if (!read.ok) return read;
  const content = read.value;
  if (content === undefined) return ok(undefined);
  const text = decodeText(content.bytes);
  const reason = damageOf(content.bytes, text);
  if (reason === undefined) return ok({ content, text });
  return failed({ action: 'use', object, reason, hint: 'correct it first' });
}

function damageOf(bytes: Uint8Array, text: string): string | undefined {
  if (bytes.length > bytesMax) return `it has ${bytes.length} bytes; the limit is ${bytesMax}`;
  if (!Buffer.from(text).equals(bytes)) return 'it is not text in UTF-8';
  if (text.includes('\0')) return 'it has a NUL byte';
  return text.includes('\r') ? 'it has Windows line ends' : undefined;
}
