/** Folders that are thrown away: those of running machines, and trees of half-built images. */
import { rmSync } from 'node:fs';
import { mkdtemp, readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit, type Cleanup } from './cleanup.ts';
import { succeed } from './command.ts';
import { isUnlocked } from './lock.ts';

const runFolderPrefix = 'bulkhead-vm-';
/** A folder this old whose lock nobody holds was left by a run that was killed. */
const staleAfterMs = 10 * 60_000;

export interface RunFolder {
  readonly folder: string;
  readonly remove: Cleanup;
}

/** The lock that a machine holds for as long as it uses its folder. */
export const runLock = (folder: string): string => join(folder, 'lock');

/** A new private folder for one machine, removed when the process ends at the latest. */
export async function makeRunFolder(): Promise<RunFolder> {
  await removeStaleRunFolders();
  const folder = await mkdtemp(join(tmpdir(), runFolderPrefix));
  return { folder, remove: atExit(() => rmSync(folder, { recursive: true, force: true })) };
}

async function removeStaleRunFolders(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(runFolderPrefix)) continue;
    const folder = join(tmpdir(), name);
    const info = await stat(folder).catch(() => undefined);
    if (info === undefined || info.uid !== process.getuid?.()) continue;
    if (Date.now() - info.mtimeMs < staleAfterMs) continue;
    if (await isUnlocked(runLock(folder))) await removeTree(folder);
  }
}

/** Removes a tree that may be a half-built root, and never crosses into a mount. */
export async function removeTree(tree: string): Promise<void> {
  await succeed(`remove "${tree}"`, ['rm', '-rf', '--one-file-system', tree]);
}
