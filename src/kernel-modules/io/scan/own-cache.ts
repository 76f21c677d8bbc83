/**
 * Files that only save work, in a directory of ours. Nobody but their owner may have written them, and whatever
 * is wrong with one, it is left out.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  pinDirectory,
  writableByOthers,
  type PinnedDirectory,
} from '../../../sys/files/pinned-directory.ts';
import { replaceFile } from '../../../sys/files/replace-file.ts';

const filesMax = 32;
/** Of one, and of all together. */
const bytesMax = 256 * 2 ** 20;

/** Of root below /var/cache, of everybody else in their own. Undefined where there is no such place. */
export function cacheDirectory(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  if (process.geteuid?.() === 0) return '/var/cache/bulkhead/modules';
  const home = env['XDG_CACHE_HOME'] ?? (env['HOME'] && join(env['HOME'], '.cache'));
  return home === undefined || home === '' ? undefined : join(home, 'bulkhead/modules');
}

/** The text of a file, or undefined when there is none that can be trusted. */
export function readCached(directory: string, name: string): string | undefined {
  try {
    using own = ownDirectory(directory);
    return readOwn(own.at(name));
  } catch {
    return undefined;
  }
}

/** Best effort: a full disk costs the next run its time, nothing else. Of names that are 32 hexadecimal digits and `.jsonl`, the oldest go. */
export function writeCached(directory: string, name: string, text: string): void {
  if (text.length > bytesMax) return;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    using own = ownDirectory(directory);
    replaceFile(own.at(name), text, 0o600);
    forgetOldest(own);
  } catch {
    // What was asked for does not depend on it.
  }
}

/** The youngest stay: so many, and so many bytes in all. */
function forgetOldest(directory: PinnedDirectory): void {
  const files = readdirSync(directory.at('.'))
    .filter((name) => /^[0-9a-f]{32}\.jsonl$/.test(name))
    .map((name) => directory.at(name))
    .map((path) => ({ path, stat: lstatSync(path) }))
    .sort((a, b) => b.stat.mtimeMs - a.stat.mtimeMs);
  let bytes = 0;
  files.forEach(({ path, stat }, index) => {
    bytes += stat.size;
    if (index >= filesMax || bytes > bytesMax) rmSync(path, { force: true });
  });
}

/** Held open. Throws when it is not ours alone: somebody else's could lead anywhere. */
function ownDirectory(path: string): PinnedDirectory {
  const pinned = pinDirectory(path);
  if (!pinned.ok) throw new Error(pinned.error);
  const stat = fstatSync(pinned.value.fd);
  if (stat.uid === process.geteuid?.() && !writableByOthers(stat)) return pinned.value;
  pinned.value[Symbol.dispose]();
  throw new Error('is no directory of this user');
}

/** Throws when it is not there, is not ours, or others could have written it. */
function readOwn(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { uid, mode, size } = fstatSync(fd);
    if (uid !== process.geteuid?.() || (mode & 0o022) !== 0 || size > bytesMax) {
      throw new Error('is not a cache of this user');
    }
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}
