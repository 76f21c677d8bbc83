/**
 * `/var/lve/info`, the file in which panels look for the use of CloudLinux's tenants. The agent
 * writes it only where `bulkhead cloudlinux install` has left a marker in the state directory:
 *
 *     /var/lve                                     /var/lib/bulkhead/cloudlinux
 *
 * which names the directory. The file is replaced whole, through its directory held open, and by
 * way of one name, so that a writer that was killed leaves no more than one file behind.
 */
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { fail, ok, type Result } from '../../base/result.ts';
import { errnoOf, quoted, reasonOf } from '../../sys/errno.ts';
import type { Paths } from '../../host/paths.ts';
import { directoryProblem, type PinnedDirectory } from '../../sys/files/pinned-directory.ts';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY } = constants;

export const lveInfoMarker = ({ state }: Pick<Paths, 'state'>): string => `${state}/cloudlinux`;

/** Longer than any path that Linux takes. */
const markerBytesMax = 4097;

/** The directory in which the file is wanted; `undefined` where it is not. */
export function lveInfoDirectory(paths: Pick<Paths, 'state'>): string | undefined {
  let fd: number;
  try {
    fd = openSync(lveInfoMarker(paths), O_RDONLY | O_NOFOLLOW);
  } catch {
    return undefined;
  }
  try {
    const buffer = Buffer.alloc(markerBytesMax);
    const text = buffer.toString('utf8', 0, readSync(fd, buffer));
    return /^(\/[^\n\0]*)\n$/.exec(text)?.[1];
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** Writes `DIRECTORY/info`, and makes the directory where there is none; or says why it cannot. */
export function writeLveInfo(directory: string, text: string): string | undefined {
  try {
    const opened = openOwn(directory);
    if (!opened.ok) return cannotWrite(directory, opened.error);
    using pinned = opened.value;
    const temporary = pinned.at('.info.new');
    rmSync(temporary, { force: true });
    writeNew(temporary, text);
    renameSync(temporary, pinned.at('info'));
    return undefined;
  } catch (error) {
    return cannotWrite(directory, reasonOf(error));
  }
}

const cannotWrite = (directory: string, why: string) =>
  `Cannot write ${quoted(`${directory}/info`)}: ${why}`;

/** Without fsync: it is written again in a few seconds, and means nothing after a crash. */
function writeNew(path: string, text: string): void {
  const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
  try {
    writeFileSync(fd, text);
  } finally {
    closeSync(fd);
  }
}

/** Takes the file away, and the directory if nothing else is in it. */
export function removeLveInfo(directory: string): string | undefined {
  try {
    const opened = pin(directory);
    if (opened === undefined) return undefined;
    using pinned = opened;
    const problem = directoryProblem(pinned);
    if (problem !== undefined) return cannotRemove(directory, problem);
    for (const name of ['.info.new', 'info']) rmSync(pinned.at(name), { force: true });
    removeIfEmpty(directory);
    return undefined;
  } catch (error) {
    return cannotRemove(directory, reasonOf(error));
  }
}

const cannotRemove = (directory: string, why: string) =>
  `Cannot remove ${quoted(`${directory}/info`)}: ${why}`;

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EBUSY'].includes(errnoOf(error))) throw error;
  }
}

function openOwn(directory: string): Result<PinnedDirectory> {
  const there = pin(directory);
  if (there === undefined) mkdirSync(directory, { mode: 0o755 });
  const pinned = there ?? pin(directory);
  if (pinned === undefined) return fail('its directory vanished');
  const problem = directoryProblem(pinned);
  if (problem === undefined) return ok(pinned);
  pinned[Symbol.dispose]();
  return fail(problem);
}

/** Unlike a directory that an administrator names, this one may not be a symbolic link. */
function pin(path: string): PinnedDirectory | undefined {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  return {
    fd,
    path,
    at: (name) => `/proc/self/fd/${fd}/${name}`,
    [Symbol.dispose]: () => closeSync(fd),
  };
}
