/** Reads small files, links and directories of the kernel and of /etc, which may be missing. */
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
} from 'node:fs';
import type { Problem } from '../problem.ts';
import { causeOf } from './errno.ts';

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * Returns why this process cannot read a file or directory that may be there; undefined if it can, or if there is none.
 * Only then does a missing text mean that there is none.
 */
export function unreadable(object: string): Problem | undefined {
  try {
    closeSync(openSync(object, constants.O_RDONLY | constants.O_NONBLOCK));
    return undefined;
  } catch (error) {
    const cause = causeOf(error);
    if (cause.errno === 'ENOENT' || cause.errno === 'ENOTDIR') return undefined;
    const hint = cause.errno === 'EACCES' ? { hint: 'run it as root' } : {};
    return { action: 'read', object, ...cause, ...hint };
  }
}

/** Returns the names in order; none if the directory cannot be read. */
export function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

/** Returns the target of a link; empty if it cannot be read. */
export function linkAt(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** Returns the path without links; undefined if it leads nowhere. */
export function realPathOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
