/**
 * `/var/lve/info`, the file in which panels look for the usage of CloudLinux's tenants. The agent writes it only if
 * `bulkhead cloudlinux enable` has left a marker in the state directory:
 *
 *     /var/lve                                     /var/lib/bulkhead/cloudlinux
 *
 * The marker names the directory. The file is replaced whole, through an open descriptor of its directory; each writer
 * removes what a killed one left behind.
 */
import { mkdirSync, rmdirSync } from 'node:fs';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, errnoOf } from '../../../packages/base/io/errno.ts';
import type { Paths } from '../../host/paths.ts';
import {
  directoryProblem,
  pinDirectory,
  type PinnedDirectory,
} from '../../../packages/base/io/pinned-directory.ts';
import { readBounded, decodeText } from '../../../packages/base/io/regular-file.ts';
import {
  removeIfThere,
  removeLeftovers,
  replaceIn,
} from '../../../packages/base/io/replace-file.ts';

export const lveInfoMarker = ({ state }: Pick<Paths, 'state'>): string => `${state}/cloudlinux`;

/** Longer than any path that Linux takes. */
const markerBytesMax = 4097;

/** Returns the directory in which the file is wanted; undefined if it is not. */
export function lveInfoDirectory(paths: Pick<Paths, 'state'>): string | undefined {
  const read = readBounded(lveInfoMarker(paths), markerBytesMax, { links: 'refuse' });
  if (!read.ok) return undefined;
  return /^(\/[^\n\0]*)\n$/.exec(decodeText(read.value))?.[1];
}

/**
 * Makes the directory. systemd lets the agent write there only if it exists when the agent starts, so the agent cannot
 * make it itself.
 */
export function makeLveDirectory(directory: string): Result<void, Problem> {
  const opened = openOwn(directory);
  if (!opened.ok) return failed({ ...opened.error, action: 'make', object: directory });
  opened.value[Symbol.dispose]();
  return ok(undefined);
}

/** Writes `DIRECTORY/info`, and makes the directory if there is none. */
export function writeLveInfo(directory: string, text: string): Result<void, Problem> {
  const cannot = (cause: Cause) =>
    failed({ ...cause, action: 'write', object: `${directory}/info` });
  try {
    const opened = openOwn(directory);
    if (!opened.ok) return cannot(opened.error);
    using pinned = opened.value;
    removeLeftovers(pinned, 'info');
    return replaceIn(pinned, 'info', text, { mode: 0o644, withoutSync: true });
  } catch (error) {
    return cannot(causeOf(error));
  }
}

/** Removes the file, and the directory if nothing else is in it. */
export function removeLveInfo(directory: string): Result<void, Problem> {
  const cannot = (cause: Cause) =>
    failed({ ...cause, action: 'remove', object: `${directory}/info` });
  try {
    const opened = pinDirectory(directory, 'refuse');
    if (!opened.ok) return opened.error.errno === 'ENOENT' ? ok(undefined) : cannot(opened.error);
    using pinned = opened.value;
    const problem = directoryProblem(pinned);
    if (problem !== undefined) return cannot(problem);
    removeLeftovers(pinned, 'info');
    removeIfThere(pinned.at('info'));
    removeIfEmpty(directory);
    return ok(undefined);
  } catch (error) {
    return cannot(causeOf(error));
  }
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EBUSY'].includes(errnoOf(error))) throw error;
  }
}

/** Opens the directory. Unlike a directory that an administrator names, this one may not be a symbolic link. */
function openOwn(directory: string): Result<PinnedDirectory, Cause> {
  const there = pinDirectory(directory, 'refuse');
  const missing = !there.ok && there.error.errno === 'ENOENT';
  if (missing) mkdirSync(directory, { mode: 0o755 });
  const pinned = missing ? pinDirectory(directory, 'refuse') : there;
  if (!pinned.ok) return pinned;
  const problem = directoryProblem(pinned.value);
  if (problem === undefined) return ok(pinned.value);
  pinned.value[Symbol.dispose]();
  return fail(problem);
}
