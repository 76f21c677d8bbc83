/** A file that is read in pieces. */
import { openRegularFile, readPiece } from '../../../base/io/regular-file.ts';
import type { ReadAt } from '../../core/packages/ar.ts';
import type { Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';

export interface OpenFile extends Disposable {
  readonly path: string;
  readonly fd: number;
  readonly bytes: number;
  readonly device: number;
  readonly inode: number;
  readonly readAt: ReadAt;
}

/**
 * Opens a file. A path that the administrator named may be a link; a path found in a directory may
 * not.
 */
export function openFile(path: string, links: 'follow' | 'refuse'): Result<OpenFile, Problem> {
  const opened = openRegularFile(path, { links });
  if (!opened.ok) return opened;
  const file = opened.value;
  const { size, dev, ino } = file.stat;
  return ok({
    path,
    fd: file.fd,
    bytes: size,
    device: dev,
    inode: ino,
    readAt: (offset, bytes) => readPiece(file, offset, bytes),
    [Symbol.dispose]: () => file[Symbol.dispose](),
  });
}
