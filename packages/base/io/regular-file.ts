/**
 * Opens a regular file without waiting: somebody may have planted a fifo, a device or a link under its name. All code
 * that opens files that others may have made uses this.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { formatBytes } from '../quantity.ts';
import { shortBytes } from '../bytes.ts';
import { failed, type Cause, type Problem } from '../problem.ts';
import { ok, type Result } from '../result.ts';
import { causeOf } from './errno.ts';

export interface RegularFile extends Disposable {
  /** The path that messages name. */
  readonly path: string;
  readonly fd: number;
  /** The open file's status. */
  readonly stat: Stats;
}

interface OpenOptions {
  /**
   * Whether links are followed: a path that the administrator named may be a symbolic link; one found in a directory
   * may not.
   */
  readonly links: 'follow' | 'refuse';
  /** The path to name in messages, if it is not the one that is opened. */
  readonly shownAs?: string;
}

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
const chunkBytes = 1024 * 1024;

/** Opens a file. Node opens every file with O_CLOEXEC, so no child inherits it. */
export function openRegularFile(path: string, options: OpenOptions): Result<RegularFile, Problem> {
  const { links, shownAs = path } = options;
  let fd: number;
  try {
    const noLinks = links === 'refuse' ? O_NOFOLLOW : 0;
    fd = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | noLinks);
  } catch (error) {
    return cannotRead(shownAs, causeOf(error));
  }
  const stat = fstatSync(fd);
  if (stat.isFile()) {
    return ok({ path: shownAs, fd, stat, [Symbol.dispose]: () => closeSync(fd) });
  }
  closeSync(fd);
  return cannotRead(shownAs, { reason: `it is ${kindOf(stat)}, not a file` });
}

export const cannotRead = (object: string, cause: Cause) =>
  failed({ ...cause, action: 'read', object });

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return 'a directory';
  if (stat.isFIFO()) return 'a named pipe';
  return stat.isSocket() ? 'a socket' : 'a device';
}

/** Reads a whole file. Files of /proc have no size, and others may have grown since, so reading finds the end. */
export function readWhole(file: RegularFile, bytesMax: number): Result<Uint8Array, Problem> {
  const { fd, path, stat } = file;
  if (stat.size > bytesMax) return cannotRead(path, tooLarge(stat.size, bytesMax));
  try {
    const bytes = readToEnd(fd, stat.size, bytesMax);
    if (bytes.length <= bytesMax) return ok(bytes);
    return cannotRead(path, { reason: `it has more than ${formatBytes(bytesMax)}` });
  } catch (error) {
    return cannotRead(path, causeOf(error));
  }
}

export const tooLarge = (bytes: number, bytesMax: number): Cause => ({
  reason: `it has ${shortBytes(bytes)}; the limit is ${formatBytes(bytesMax)}`,
});

/** Reads a file to its end; if it has more than `bytesMax`, returns at least one byte more than that. */
function readToEnd(fd: number, expectedBytes: number, bytesMax: number): Uint8Array {
  let bytes = Buffer.allocUnsafeSlow(expectedBytes + 1);
  let length = 0;
  while (length <= bytesMax) {
    if (length === bytes.length) {
      const more = Buffer.allocUnsafeSlow(Math.max(chunkBytes, bytes.length * 2));
      bytes.copy(more);
      bytes = more;
    }
    const count = readSync(fd, bytes, length, bytes.length - length, null);
    if (count === 0) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

/** Reads a piece, which is shorter at the end of the file. Throws Node's errors. */
export function readPiece({ fd }: RegularFile, offset: number, bytes: number): Uint8Array {
  const buffer = Buffer.allocUnsafe(bytes);
  let got = 0;
  while (got < bytes) {
    const now = readSync(fd, buffer, got, bytes - got, offset + got);
    if (now === 0) break;
    got += now;
  }
  return buffer.subarray(0, got);
}

/** Decodes UTF-8 without copying the bytes. */
export const decodeText = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('utf8');

/** Reads a whole file, of which only the name is known, up to a limit. */
export function readBounded(
  path: string,
  bytesMax: number,
  options: OpenOptions = { links: 'follow' },
): Result<Uint8Array, Problem> {
  const opened = openRegularFile(path, options);
  if (!opened.ok) return opened;
  using file = opened.value;
  return readWhole(file, bytesMax);
}
