/** Temporary directories: of running machines, and trees of half-built images. */
import { rmSync } from 'node:fs';
import { mkdtemp, readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit, type Cleanup } from './cleanup.ts';
import { succeed } from './command.ts';
import { isUnlocked } from './lock.ts';

const runDirectoryPrefix = 'bulkhead-vm-';
/** The age from which a directory that nobody has locked was left by a run that was killed. */
const staleAfterMs = 10 * 60_000;

export interface RunDirectory {
  readonly directory: string;
  readonly remove: Cleanup;
}

/** Returns the path of the lock that a machine holds for as long as it uses its directory. */
export const runLock = (directory: string): string => join(directory, 'lock');

/** Makes a new private directory for one machine, removed when the process ends at the latest. */
export async function makeRunDirectory(): Promise<RunDirectory> {
  await removeStaleRunDirectories();
  const directory = await mkdtemp(join(tmpdir(), runDirectoryPrefix));
  return { directory, remove: atExit(() => rmSync(directory, { recursive: true, force: true })) };
}

async function removeStaleRunDirectories(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(runDirectoryPrefix)) continue;
    const directory = join(tmpdir(), name);
    const info = await stat(directory).catch(() => undefined);
    if (info === undefined || info.uid !== process.getuid?.()) continue;
    if (Date.now() - info.mtimeMs < staleAfterMs) continue;
    if (await isUnlocked(runLock(directory))) await removeDirectoryTree(directory);
  }
}

/** Removes a tree that may be a half-built root, and never crosses into a mount. */
export async function removeDirectoryTree(tree: string): Promise<void> {
  await succeed(`remove "${tree}"`, ['rm', '-rf', '--one-file-system', tree]);
}
