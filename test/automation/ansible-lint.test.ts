/** The Ansible role, checked by ansible-lint with its strictest profile. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { longPatienceMilliseconds } from '../../testing/patience.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const ready = await ensurePrerequisites('ansible', (line) => process.stderr.write(`${line}\n`));
const skip = ready.ok ? false : ready.reason;

// A copy: it writes a cache into the directory.
const directory = suiteDirectory('ansible-lint');
cpSync(new URL('../../examples/ansible', import.meta.url), directory, { recursive: true });

const lint = () =>
  spawnSync('ansible-lint', ['--offline', '--nocolor', 'site.yml', 'fleet.yml', 'roles/bulkhead'], {
    cwd: directory,
    encoding: 'utf8',
    env: { ...process.env, HOME: directory },
  });

describe('the Ansible role', { skip, timeout: longPatienceMilliseconds }, () => {
  test('passes ansible-lint', () => {
    const { status, stdout, stderr } = lint();
    assert.equal(status, 0, stdout + stderr);
    assert.match(stderr, /Profile 'production' was required, and it passed/);
  });

  test('would not pass with a task that always changes something', () => {
    const tasks = join(directory, 'roles/bulkhead/tasks/next.yml');
    writeFileSync(tasks, readFileSync(tasks, 'utf8').replace(/^ +changed_when: .*$/m, ''));
    const { status, stdout } = lint();
    assert.equal(status, 2);
    assert.match(stdout, /no-changed-when/);
  });
});
