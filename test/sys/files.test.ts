/** Directories and files are opened and read only as what they are expected to be. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { directoryProblem, pinDirectory } from '../../packages/base/io/pinned-directory.ts';
import {
  openRegularFile,
  readBounded,
  readPiece,
  decodeText,
} from '../../packages/base/io/regular-file.ts';
import { valueOf, errorOf } from '../../testing/results.ts';
import { asRoot, root, file, useFile } from './files-stage.ts';

useFile();

describe('pinDirectory()', () => {
  test('reaches the same directory after another took its place', () => {
    mkdirSync(join(root, 'a'));
    writeFileSync(join(root, 'a/name'), 'ours');
    using pinned = valueOf(pinDirectory(join(root, 'a')));
    renameSync(join(root, 'a'), join(root, 'b'));
    mkdirSync(join(root, 'a'));
    writeFileSync(join(root, 'a/name'), 'planted');
    assert.equal(readFileSync(pinned.at('name'), 'utf8'), 'ours');
  });

  test('follows a symbolic link only when told to', () => {
    symlinkSync(root, join(root, 'link'));
    valueOf(pinDirectory(join(root, 'link')))[Symbol.dispose]();
    assert.match(
      errorOf(pinDirectory(join(root, 'link'), 'refuse')),
      /^Cannot open the directory ".*link": it is a symbolic link or not a directory; remove it$/,
    );
    assert.match(errorOf(pinDirectory(file)), /not a directory/);
  });

  test('returns ENOENT when the directory is missing', () => {
    const pinned = pinDirectory(join(root, 'none'));
    assert.equal(pinned.ok ? '' : pinned.error.errno, 'ENOENT');
  });
});

describe('directoryProblem()', () => {
  const problemOf = (path: string) => {
    using pinned = valueOf(pinDirectory(path));
    return directoryProblem(pinned)?.reason;
  };

  test('returns undefined for a directory of ours below a sticky one of root', () => {
    assert.equal(problemOf(root), undefined);
  });

  test(
    'reports a directory, or one above it, that others own or can write',
    { skip: asRoot },
    () => {
      const below = join(root, 'middle/below');
      mkdirSync(below, { recursive: true });
      chmodSync(join(root, 'middle'), 0o1777);
      assert.equal(problemOf(below), undefined);
      chmodSync(join(root, 'middle'), 0o777);
      assert.match(
        problemOf(below) ?? '',
        /^the directory ".*\/middle" above it can be written by/,
      );
      chmodSync(join(root, 'middle'), 0o755);
      chownSync(join(root, 'middle'), 1234, 0);
      assert.match(
        problemOf(below) ?? '',
        /^the directory ".*\/middle" above it belongs to uid 1234/,
      );
      chownSync(below, 1234, 0);
      assert.match(problemOf(below) ?? '', /^its directory ".*\/below" belongs to uid 1234/);
    },
  );

  test(
    'checks the directories above the target of a link, not those above the link',
    { skip: asRoot },
    () => {
      mkdirSync(join(root, 'theirs/ours'), { recursive: true });
      chownSync(join(root, 'theirs'), 1234, 0);
      symlinkSync(join(root, 'theirs/ours'), join(root, 'link'));
      assert.match(problemOf(join(root, 'link')) ?? '', /theirs" above it belongs to uid 1234/);
    },
  );
});

describe('openRegularFile()', () => {
  test('refuses pipes, directories and devices without waiting', () => {
    execFileSync('mkfifo', [join(root, 'fifo')]);
    const rows = [
      [join(root, 'fifo'), /it is a named pipe, not a file$/],
      [root, /it is a directory, not a file$/],
      ['/dev/zero', /it is a device, not a file$/],
      [join(root, 'none'), /it does not exist$/],
      ['a\0b', /EINVAL/],
    ] as const;
    for (const [path, expected] of rows)
      assert.match(errorOf(openRegularFile(path, { links: 'follow' })), expected);
  });

  test('follows a link only when told to', () => {
    const link = join(root, 'link');
    symlinkSync(file, link);
    valueOf(openRegularFile(link, { links: 'follow' }))[Symbol.dispose]();
    const refused = openRegularFile(link, { links: 'refuse', shownAs: 'the link' });
    assert.equal(errorOf(refused), 'Cannot read "the link": it is a symbolic link');
    assert.equal(refused.ok ? '' : refused.error.errno, 'ELOOP');
  });

  test('readPiece() returns a shorter piece at the end of the file', () => {
    using opened = valueOf(openRegularFile(file, { links: 'refuse' }));
    assert.equal(decodeText(readPiece(opened, 1, 100)), 'ld');
    assert.equal(readPiece(opened, 3, 100).length, 0);
  });
});

describe('readBounded()', () => {
  test('reads a whole file, also an empty one or one in /proc', () => {
    assert.equal(decodeText(valueOf(readBounded(file, 3))), 'old');
    writeFileSync(file, '');
    assert.equal(valueOf(readBounded(file, 0)).length, 0);
    const status = decodeText(valueOf(readBounded('/proc/self/status', 2 ** 20)));
    assert.match(status, /^Pid:\t\d+$/m);
  });

  test('refuses a file that is larger by its size or by its content', () => {
    assert.match(errorOf(readBounded(file, 2)), /it has 3B; the limit is 2B$/);
    truncateSync(file, 2 ** 40);
    assert.match(errorOf(readBounded(file, 2 ** 20)), /it has 1.00TiB; the limit is 1MiB$/);
    assert.match(errorOf(readBounded('/proc/self/status', 16)), /it has more than 16B$/);
  });
});
