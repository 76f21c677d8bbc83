/** The only code that opens cgroup files, on the real kernel: nothing leads out of Bulkhead's tree. */
import assert from 'node:assert/strict';
import { closeSync, openSync, symlinkSync, writeFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LinuxCgroupFiles } from '../../src/host/cgroups/cgroup-files.ts';
import { openBeneath, pageBytes } from '../../src/sys/syscalls.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

test('openBeneath() refuses symbolic links and paths that leave the directory', () => {
  using scratch = temporaryDirectory('open');
  const directory = scratch.path;
  mkdirSync(join(directory, 'in'));
  writeFileSync(join(directory, 'in', 'file'), 'x');
  symlinkSync('/etc/passwd', join(directory, 'in', 'link'));
  symlinkSync('/etc', join(directory, 'in', 'directory'));
  const fd = openSync(directory, 'r');
  try {
    const opened = openBeneath(fd, 'in/file', 0);
    assert.ok('fd' in opened);
    closeSync(opened.fd);
    assert.deepEqual(openBeneath(fd, 'in/link', 0), { error: 'ELOOP' });
    assert.deepEqual(openBeneath(fd, 'in/directory/passwd', 0), { error: 'ELOOP' });
    assert.deepEqual(openBeneath(fd, '../etc/passwd', 0), { error: 'EXDEV' });
    assert.deepEqual(openBeneath(fd, '/etc/passwd', 0), { error: 'EXDEV' });
    assert.deepEqual(openBeneath(fd, 'in/none', 0), { error: 'ENOENT' });
  } finally {
    closeSync(fd);
  }
});

test('LinuxCgroupFiles refuses a directory that is not a cgroup file system', () => {
  assert.throws(() => new LinuxCgroupFiles(tmpdir(), 'bulkhead'), /is not a cgroup file system/);
});

test('pageBytes() is a power of two', () => {
  const bytes = pageBytes();
  assert.ok(bytes >= 4096 && (bytes & (bytes - 1)) === 0);
});
