/** A file that is read in pieces: opened without following a planted link or waiting for a fifo. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { quoted, reasonOf } from '../../../sys/errno.ts';
import type { ReadAt } from '../../core/packages/ar.ts';
import { fail, ok, type Result } from '../../../base/result.ts';

export interface OpenFile extends Disposable {
  readonly path: string;
  readonly fd: number;
  readonly bytes: number;
  readonly device: number;
  readonly inode: number;
  readonly readAt: ReadAt;
}

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;

/** A path that the administrator named may be a link; what was found in a directory may not. */
export function openFile(path: string, links: 'follow' | 'refuse'): Result<OpenFile> {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | (links === 'refuse' ? O_NOFOLLOW : 0));
  } catch (error) {
    return fail(`Cannot open ${quoted(path)}: ${reasonOf(error)}`);
  }
  const stat = fstatSync(fd);
  if (!stat.isFile()) {
    closeSync(fd);
    return fail(`Cannot read ${quoted(path)}: it is no regular file`);
  }
  return ok({
    path,
    fd,
    bytes: stat.size,
    device: stat.dev,
    inode: stat.ino,
    readAt: (offset, bytes) => readPiece(fd, offset, bytes),
    [Symbol.dispose]: () => closeSync(fd),
  });
}

/** Shorter at the end of the file. Throws Node's errors. */
function readPiece(fd: number, offset: number, bytes: number): Uint8Array {
  const buffer = Buffer.allocUnsafe(bytes);
  let got = 0;
  while (got < bytes) {
    const now = readSync(fd, buffer, got, bytes - got, offset + got);
    if (now === 0) break;
    got += now;
  }
  return buffer.subarray(0, got);
}
