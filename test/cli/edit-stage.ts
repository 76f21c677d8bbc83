/** The common part of tests of commands that edit a policy: a file of their own, and the program. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach } from 'node:test';
import { testDirectory } from '../../testing/temporary-directory.ts';
import { mainFile } from '../../testing/program.ts';

export const text = `<bulkhead version="1">
  <!-- What everybody gets -->
  <defaults>
    <cpu limit="100%"/>  <!-- a core -->
  </defaults>

  <package name="business">
    <memory limit="4GiB"/>
  </package>

  <tenant uid="61001"/>
</bulkhead>
`;

/** The directory of a test, and the policy in it. */
export let directory = '';
export let file = '';

/** Gives each test of a file a policy in a directory of its own. */
export function usePolicy(): void {
  beforeEach((t) => {
    directory = testDirectory(t, 'edit-commands');
    file = join(directory, 'policy.xml');
    writeFileSync(file, text, { mode: 0o644 });
  });
}

interface Answer {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export function bulkhead(...args: string[]): Answer {
  const { status, stdout, stderr } = spawnSync(process.execPath, [mainFile, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  assert.ok(!/^\s+at /m.test(stderr), stderr);
  return { status, out: stdout, err: stderr };
}

/** Edits without touching the kernel of the machine that tests run on. */
export function edit(...args: string[]): Answer {
  return bulkhead(...args, '-p', file, '--no-apply');
}

export const now = () => readFileSync(file, 'utf8');
