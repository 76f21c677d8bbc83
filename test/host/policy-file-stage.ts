/** The common part of tests of policy files: a file in a directory of its own. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach } from 'node:test';
import { testDirectory } from '../../testing/temporary-directory.ts';

export const asRoot = process.geteuid?.() === 0 ? false : 'needs root, to give files away';

/** The directory of a test, and the file in it. */
export let directory = '';
export let file = '';

/** Gives each test of a file a policy file in a directory of its own. */
export function usePolicyFile(): void {
  beforeEach((t) => {
    directory = testDirectory(t, 'policy-file');
    file = join(directory, 'policy.xml');
    writeFileSync(file, '<a/>', { mode: 0o644 });
  });
}

/** Returns the names of other files in the directory. */
export const leftovers = () => readdirSync(directory).filter((name) => name !== 'policy.xml');
