/** Files are written as a whole or not at all, with the given mode and owner. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pinDirectory, type PinnedDirectory } from '../../packages/base/io/pinned-directory.ts';
import { ensurePrivateDirectory, ensurePrivateFile } from '../../src/sys/files/private-file.ts';
import {
  createNewFile,
  removeLeftovers,
  replaceFile,
  replaceIn,
} from '../../packages/base/io/replace-file.ts';
import { valueOf, errorOf } from '../../testing/results.ts';
import { asRoot, root, file, useFile } from './files-stage.ts';

function inRoot<T>(use: (directory: PinnedDirectory) => T): T {
  using directory = valueOf(pinDirectory(root));
  return use(directory);
}

useFile();

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
