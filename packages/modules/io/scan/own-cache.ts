/**
 * Files that only save work, in a directory of ours. Only their owner may have written them; a file
 * with anything wrong is ignored.
 */
import { fstatSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  pinDirectory,
  writableByOthers,
  type PinnedDirectory,
} from '../../../base/io/pinned-directory.ts';
import { openRegularFile, readWhole, decodeText } from '../../../base/io/regular-file.ts';
import { replaceIn } from '../../../base/io/replace-file.ts';
import { fail, ok, type Result } from '../../../base/result.ts';

const filesMax = 32;
/** The most bytes of one file, and of all together. */
const bytesMax = 256 * 2 ** 20;

/**
 * Returns the cache directory: root's below /var/cache, everybody else's in their own. Undefined if
 * there is no such place.
 */
export function scanCacheDirectory(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  if (process.geteuid?.() === 0) return '/var/cache/bulkhead/modules';
  const home = env['XDG_CACHE_HOME'] ?? (env['HOME'] && join(env['HOME'], '.cache'));
  return home === undefined || home === '' ? undefined : join(home, 'bulkhead/modules');
}

/** Returns the text of a file; undefined when there is none that can be trusted. */
export function readCached(directory: string, name: string): string | undefined {
  const own = ownDirectory(directory);
  if (!own.ok) return undefined;
  using pinned = own.value;
  return readOwn(pinned.at(name));
}

/**
 * Writes a file, best effort: a full disk only costs the next run its time. If there are too many
 * files named by 32 hexadecimal digits and `.jsonl`, the oldest go.
 */
export function writeCached(directory: string, name: string, text: string): void {
  if (text.length > bytesMax) return;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const own = ownDirectory(directory);
    if (!own.ok) return;
    using pinned = own.value;
    if (replaceIn(pinned, name, text, { mode: 0o600 }).ok) forgetOldest(pinned);
  } catch {
    // The requested result does not depend on it.
  }
}

/** Removes the oldest files: the youngest stay, up to a number and a sum of bytes. */
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

/**
 * Opens the directory and holds it open. Fails when it is not only ours: somebody else's could lead
 * anywhere.
 */
function ownDirectory(path: string): Result<PinnedDirectory, undefined> {
  const pinned = pinDirectory(path);
  if (!pinned.ok) return fail(undefined);
  const stat = fstatSync(pinned.value.fd);
  if (stat.uid === process.geteuid?.() && !writableByOthers(stat)) return ok(pinned.value);
  pinned.value[Symbol.dispose]();
  return fail(undefined);
}

/** Reads a file; undefined when it is not there, is not ours, or others could have written it. */
function readOwn(path: string): string | undefined {
  const opened = openRegularFile(path, { links: 'refuse' });
  if (!opened.ok) return undefined;
  using file = opened.value;
  if (file.stat.uid !== process.geteuid?.() || writableByOthers(file.stat)) return undefined;
  const read = readWhole(file, bytesMax);
  return read.ok ? decodeText(read.value) : undefined;
}
