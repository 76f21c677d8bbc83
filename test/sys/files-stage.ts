/** The common part of tests of files: a file in a directory of its own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach } from 'node:test';
import { testDirectory } from '../../testing/temporary-directory.ts';

export const asRoot = process.geteuid?.() === 0 ? false : 'needs root, to give files away';

/** The directory of a test, and the file in it. */
export let root = '';
export let file = '';

/** Gives each test of a file of tests a file in a directory of its own. */
export function useFile(): void {
  beforeEach((t) => {
    root = testDirectory(t, 'files');
    file = join(root, 'file');
    writeFileSync(file, 'old', { mode: 0o644 });
  });
}
