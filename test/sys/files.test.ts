import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import { formatProblem, type Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import {
  directoryProblem,
  pinDirectory,
  type PinnedDirectory,
} from '../../packages/base/io/pinned-directory.ts';
import { ensurePrivateDirectory, ensurePrivateFile } from '../../src/sys/files/private-file.ts';
import {
  openRegularFile,
  readBounded,
  readPiece,
  decodeText,
} from '../../packages/base/io/regular-file.ts';
import {
  createNewFile,
  removeLeftovers,
  replaceFile,
  replaceIn,
} from '../../packages/base/io/replace-file.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const asRoot = process.geteuid?.() === 0 ? false : 'needs root, to give files away';

let root = '';
let file = '';

beforeEach((t) => {
  root = testDirectory(t, 'files');
  file = join(root, 'file');
  writeFileSync(file, 'old', { mode: 0o644 });
});

function valueOf<T>(result: Result<T, Problem>): T {
  if (!result.ok) assert.fail(formatProblem(result.error));
  return result.value;
}

function errorOf<T>(result: Result<T, Problem>): string {
  if (result.ok) assert.fail('it did not fail');
  return formatProblem(result.error);
}

function inRoot<T>(use: (directory: PinnedDirectory) => T): T {
  using directory = valueOf(pinDirectory(root));
  return use(directory);
}

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

describe('replaceIn()', () => {
  test('puts a new file in place with the given mode, whatever the umask', () => {
    const before = statSync(file);
    const umask = process.umask(0o077);
    try {
      inRoot((directory) => valueOf(replaceIn(directory, 'file', 'new', { mode: 0o664 })));
    } finally {
      process.umask(umask);
    }
    const now = statSync(file);
    assert.notEqual(now.ino, before.ino);
    assert.equal(now.mode & 0o7777, 0o664);
    assert.equal(readFileSync(file, 'utf8'), 'new');
    assert.deepEqual(readdirSync(root), ['file']);
  });

  test('gives the file the given owner', { skip: asRoot }, () => {
    const owner = { uid: 1234, gid: 1235 };
    inRoot((directory) => valueOf(replaceIn(directory, 'file', 'x', { mode: 0o600, owner })));
    const { uid, gid } = statSync(file);
    assert.deepEqual({ uid, gid }, owner);
  });

  test('replaces a link, not its target', () => {
    const link = join(root, 'link');
    symlinkSync(file, link);
    inRoot((directory) => valueOf(replaceIn(directory, 'link', 'new', { mode: 0o600 })));
    assert.deepEqual([readFileSync(file, 'utf8'), readFileSync(link, 'utf8')], ['old', 'new']);
  });

  test('keeps the old file, and leaves no temporary one, when it fails', () => {
    const blocker = () => ({ reason: 'it was changed', hint: 'try again' });
    inRoot((directory) => {
      assert.equal(
        errorOf(replaceIn(directory, 'file', 'new', { mode: 0o600, obstacle: blocker })),
        `Cannot write "${file}": it was changed; try again`,
      );
      mkdirSync(join(root, 'directory'));
      assert.match(errorOf(replaceIn(directory, 'directory', 'new', { mode: 0o600 })), /^Cannot w/);
    });
    assert.equal(readFileSync(file, 'utf8'), 'old');
    assert.deepEqual(readdirSync(root).sort(), ['directory', 'file']);
  });
});

test('createNewFile() fails when a file or a link is already there', () => {
  symlinkSync(join(root, 'target'), join(root, 'link'));
  for (const name of ['link', 'file'])
    assert.throws(() => createNewFile(join(root, name), 0o600), { code: 'EEXIST' });
  assert.equal(existsSync(join(root, 'target')), false);
});

test('removeLeftovers() removes only temporary files of the given name', () => {
  const digits = '0123456789abcdef';
  const names = [
    `.file.${digits}.tmp`,
    `.other.${digits}.tmp`,
    '.file.swp',
    `.file.${digits}.tmp2`,
  ];
  for (const name of names) writeFileSync(join(root, name), '');
  inRoot((directory) => removeLeftovers(directory, 'file'));
  assert.deepEqual(readdirSync(root).sort(), [...names.slice(1), 'file'].sort());
});

const noPrlimit = spawnSync('prlimit', ['--version']).status !== 0;

test(
  'replaceFile() keeps the old file when the new one cannot be written whole',
  { skip: noPrlimit && 'prlimit is not installed' },
  () => {
    const module = new URL('../../packages/base/io/replace-file.ts', import.meta.url).href;
    const program = `
      const { replaceFile } = await import(${JSON.stringify(module)});
      const written = replaceFile(${JSON.stringify(file)}, 'x'.repeat(10_000));
      process.stdout.write(written.ok ? 'written' : written.error.errno);`;
    // A write that reaches the limit is partial, as on a disk that fills up.
    const limited = 'trap "" XFSZ; exec prlimit --fsize=4096 "$0" --input-type=module -e "$1"';
    const { stdout } = spawnSync('sh', ['-c', limited, process.execPath, program], {
      encoding: 'utf8',
    });
    assert.equal(stdout, 'EFBIG');
    assert.equal(readFileSync(file, 'utf8'), 'old');
    assert.deepEqual(readdirSync(root), ['file']);
  },
);

test('replaceFile() names the missing directory', () => {
  assert.match(
    errorOf(replaceFile(join(root, 'none/file'), 'x')),
    /^Cannot open the directory ".*none": it does not exist$/,
  );
});

describe('ensurePrivateFile() and ensurePrivateDirectory()', () => {
  test('make a missing directory, and remove the permissions of others', () => {
    const directory = join(root, 'a/b');
    valueOf(ensurePrivateDirectory(directory));
    chmodSync(directory, 0o755);
    valueOf(ensurePrivateDirectory(directory));
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    valueOf(ensurePrivateFile(file));
    assert.deepEqual([statSync(file).mode & 0o777, readFileSync(file, 'utf8')], [0o600, 'old']);
  });

  test('refuse symbolic and hard links, and change nothing', () => {
    symlinkSync(root, join(root, 'link'));
    assert.match(
      errorOf(ensurePrivateDirectory(join(root, 'link'))),
      /symbolic link.*; remove it$/,
    );
    symlinkSync(join(root, 'target'), join(root, 'file-link'));
    assert.match(errorOf(ensurePrivateFile(join(root, 'file-link'))), /it is a symbolic link$/);
    assert.equal(existsSync(join(root, 'target')), false);
    linkSync(file, join(root, 'second'));
    assert.match(errorOf(ensurePrivateFile(file)), /a hard link; remove one of them$/);
    assert.equal(statSync(file).mode & 0o777, 0o644);
  });

  test('refuse a file of another owner, and keep its mode', { skip: asRoot }, () => {
    chownSync(file, 1234, 0);
    assert.match(errorOf(ensurePrivateFile(file)), /it belongs to uid 1234; /);
    assert.equal(statSync(file).mode & 0o777, 0o644);
  });
});
