/**
 * The cache of built images: `$XDG_CACHE_HOME/bulkhead/vm/KEY/`.
 *
 * The key is a hash of an image's inputs. A directory KEY is complete, because it is made under
 * another name and renamed last. Building and pruning take the lock `lock`; users of an image take
 * `KEY/lock` shared, so that nobody prunes it meanwhile.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { removeDirectoryTree } from './directories.ts';
import { isUnlocked, takeLock, type Lock } from './lock.ts';

export const cacheDirectory = join(
  process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'),
  'bulkhead/vm',
);
const unfinished = 'unfinished-';

/** Takes the lock under which images are built and pruned. */
export async function lockCache(): Promise<Lock> {
  await mkdir(cacheDirectory, { recursive: true });
  return takeLock('exclusive', join(cacheDirectory, 'lock'));
}

export const cachedImage = (key: string): string => join(cacheDirectory, key);
export const isCached = (key: string): boolean => existsSync(cachedImage(key));

/** Keeps an image from being pruned for as long as this process runs. */
export const useImage = (key: string): Promise<Lock> =>
  takeLock('shared', join(cachedImage(key), 'lock'));

/** Builds the image of a key; a build that is killed half-way leaves nothing that is used. */
export async function buildInCache(
  key: string,
  build: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(cacheDirectory, unfinished));
  try {
    await build(directory);
    await rename(directory, cachedImage(key));
  } finally {
    if (existsSync(directory)) await removeDirectoryTree(directory);
  }
}

/** Removes unfinished builds, and images of other keys that nobody is using. */
export async function pruneCache(key: string): Promise<void> {
  for (const { name } of await directoriesIn(cacheDirectory)) {
    const directory = join(cacheDirectory, name);
    const isDead = name.startsWith(unfinished) || (await isUnlocked(join(directory, 'lock')));
    if (name !== key && isDead) await removeDirectoryTree(directory);
  }
}

async function directoriesIn(directory: string) {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory());
}

/** Returns a key from the inputs: each a value, or a directory of which every file counts. */
export async function hashInputs(values: unknown, directory: string): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(values));
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile());
  for (const path of files.map((file) => join(file.parentPath, file.name)).sort()) {
    hash.update(`\0${path.slice(directory.length)}\0`).update(await readFile(path));
  }
  return hash.digest('hex').slice(0, 20);
}
