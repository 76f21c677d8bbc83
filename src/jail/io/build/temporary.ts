/**
 * `/tmp` and `/var/tmp` of a tenant. They are on the file system of its home, where they count towards its quota. Only
 * root can change the directory above, so that the tenant cannot replace them.
 *
 *     /var/lib/bulkhead/jail-tmp/1001/{tmp,vartmp}     or
 *     /home/.bulkhead/1001/{tmp,vartmp}                if /home is a file system of its own
 *
 * For a site, 1001-shop.example takes the place of 1001.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { listSome } from '../../../../packages/base/list.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { causeOf, errnoOf } from '../../../../packages/base/io/errno.ts';
import { parseMountInfo, type Mount } from '../../../sys/files/mounts.ts';
import { isRootsDirectory } from '../../../../packages/base/io/pinned-directory.ts';
import { namesIn, readText } from '../../../../packages/base/io/read.ts';
import { replaceFile } from '../../../../packages/base/io/replace-file.ts';
import { giveTo, makeDirectory, openWithoutLinks } from '../../../sys/mount-calls.ts';
import { idOf, isKey, keyOf, type JailKey } from '../../core/jail-key.ts';
import type { JailPaths } from '../jail-paths.ts';
import type { JailTenant } from './protocol.ts';

export const temporaryDirectories = { tmp: '/tmp', vartmp: '/var/tmp' } as const;

/**
 * Returns the directory for all tenants' temporary directories, given the descriptor of a home. Throws Node's errors.
 */
export function placeFor(
  fd: number | undefined,
  paths: JailPaths,
  mounts: readonly Mount[],
): string {
  if (fd === undefined) return paths.temporary;
  mkdirSync(dirname(paths.temporary), { recursive: true, mode: 0o755 });
  if (fstatSync(fd).dev === statSync(dirname(paths.temporary)).dev) return paths.temporary;
  const id = /^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
  const mount = mounts.find((each) => each.id === id);
  // A home that is a file system of its own belongs to the tenant.
  if (mount === undefined || mount.readOnly || !isRootsDirectory(mount.mountPoint))
    return paths.temporary;
  return join(mount.mountPoint, paths.temporaryName);
}

export const mountsHere = (): readonly Mount[] =>
  parseMountInfo(readText('/proc/thread-self/mountinfo') ?? '');

/** The directories for all tenants' temporary directories, each made and checked once. All methods throw Node's errors. */
export class TemporaryPlaces implements Disposable {
  readonly #paths: JailPaths;
  readonly #open = new Map<string, number>();

  constructor(paths: JailPaths) {
    this.#paths = paths;
  }

  /** Makes the tenant's own directory with both inside, and returns its descriptor. */
  ensure(place: string, tenant: JailTenant): Result<number, Problem> {
    const { uid, account } = tenant;
    const all = this.#openPlace(place);
    if (!all.ok) return all;
    const key = keyOf(tenant);
    makeDirectory(all.value, key, 0o711);
    const own = openWithoutLinks(key, all.value);
    for (const name of Object.keys(temporaryDirectories)) {
      if (makeDirectory(own, name, 0o700)) giveTo(own, name, uid, account?.gid ?? uid);
    }
    return ok(own);
  }

  #openPlace(place: string): Result<number, Problem> {
    const known = this.#open.get(place);
    if (known !== undefined) return ok(known);
    const recorded = recordPlace(place, this.#paths);
    if (!recorded.ok) return recorded;
    const parent = openWithoutLinks(dirname(place));
    try {
      makeDirectory(parent, place.slice(place.lastIndexOf('/') + 1), 0o711);
    } finally {
      closeSync(parent);
    }
    if (!isRootsDirectory(place)) {
      const reason = 'others than root can change it';
      return failed({ action: 'use the directory', object: place, reason, hint: 'remove it' });
    }
    const opened = openWithoutLinks(place);
    this.#open.set(place, opened);
    return ok(opened);
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open.values()) closeSync(fd);
  }
}

const placesOf = (paths: JailPaths): readonly string[] =>
  (readText(paths.places) ?? '').split('\n').filter((line) => line.startsWith('/'));

/** Records a directory before it is made, so that it is found when all are removed. */
function recordPlace(place: string, paths: JailPaths): Result<void, Problem> {
  const known = placesOf(paths);
  if (known.includes(place)) return ok(undefined);
  mkdirSync(dirname(paths.places), { recursive: true, mode: 0o755 });
  return replaceFile(paths.places, [...known, place].map((each) => `${each}\n`).join(''), 0o600);
}

/** The time for removing files in one build: jails must not wait for tenants that have left millions of files. */
const removeMilliseconds = 60_000;

/**
 * Removes directories that are not wanted, and returns problems with the others. What is left when the time is over is for
 * a later call.
 */
export function removeTemporary(
  paths: JailPaths,
  isWanted: (key: JailKey) => boolean,
  milliseconds = removeMilliseconds,
): readonly Problem[] {
  const problems: Problem[] = [];
  const late: Unwanted[] = [];
  const deadline = performance.now() + milliseconds;
  const unwanted = placesOf(paths).flatMap((place) =>
    namesIn(place).flatMap((name) =>
      isKey(name) && !isWanted(name) ? [{ directory: join(place, name), uid: idOf(name).uid }] : [],
    ),
  );
  for (const [index, { directory, uid }] of unwanted.entries()) {
    const now = performance.now();
    const until = now + shareOf(deadline - now, unwanted.length - index);
    const removed = removeOne(directory, uid, until);
    if (removed.ok) continue;
    if (performance.now() >= until) late.push({ directory, uid });
    else problems.push(removed.error);
  }
  // The others may have left time.
  const slow = late.filter(({ directory, uid }) => !removeOne(directory, uid, deadline).ok);
  for (const place of placesOf(paths)) removeEmpty(place);
  if (slow.length === 0) return problems;
  const rest = {
    action: 'remove the temporary files in',
    object: listSome(slow.map(({ directory }) => directory)),
    reason: `they were not all gone after ${milliseconds / 1000} s`,
    hint: 'run it again: it goes on where it stopped',
  };
  return [...problems, rest];
}

interface Unwanted {
  readonly directory: string;
  /** The former tenant. */
  readonly uid: number;
}

/** The time that one directory gets even if many follow. */
const shareMillisecondsMin = 5_000;

/** Returns the time for the next of `count` directories: one whose tenant stops the removal must not use up the others'. */
export const shareOf = (left: number, count: number): number =>
  Math.max(Math.min(left, shareMillisecondsMin), left / count);

/** Removes the files as the tenant: its links and races can then lead only to files that it could remove anyway. */
function removeOne(directory: string, uid: number, deadline: number): Result<void, Problem> {
  const names = Object.keys(temporaryDirectories).map((name) => `${directory}/${name}`);
  try {
    const full = names.filter((name) => !isRemoved(name));
    const left = Math.round(deadline - performance.now());
    if (full.length > 0 && left > 0) emptyAs(uid, full, left);
    for (const name of full) rmdirIfThere(name);
    rmdirIfThere(directory);
    return ok(undefined);
  } catch (error) {
    const hint = 'end the processes of the tenant, and run it again';
    return failed({ action: 'remove', object: directory, ...causeOf(error), hint });
  }
}

/** Debian's `nogroup`: a uid need not be the number of a group, or is that of another's. */
const nobodysGroup = 65_534;

function emptyAs(uid: number, directories: readonly string[], milliseconds: number): void {
  spawnSync('/usr/bin/rm', ['-rf', '--one-file-system', '--', ...directories], {
    uid,
    gid: nobodysGroup,
    cwd: '/',
    env: {},
    stdio: 'ignore',
    timeout: milliseconds,
    killSignal: 'SIGKILL',
  });
}

/** Whether the directory is gone. A directory that is not empty stays. */
function isRemoved(path: string): boolean {
  try {
    rmdirIfThere(path);
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY') throw error;
    return false;
  }
}

function rmdirIfThere(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function removeEmpty(place: string): void {
  try {
    rmdirSync(place);
  } catch {
    // Other jails still use it.
  }
}
