import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openOffered } from '../../io/source/match-files.ts';
import { sourceDirectory } from '../../io/source/source-directory.ts';
import { suiteDirectory } from '../../../../testing/temporary-directory.ts';

const directory = suiteDirectory('source');
const root = join(directory, 'source');
mkdirSync(join(root, 'sub'), { recursive: true });
writeFileSync(join(root, 'sub/a.c'), 'int a;\n');
writeFileSync(join(directory, 'secret'), 'secret');
symlinkSync('sub', join(root, 'inner'));
symlinkSync('../secret', join(root, 'outer.h'));
symlinkSync('/etc', join(root, 'outer'));
symlinkSync('loop', join(root, 'loop'));
execFileSync('mkfifo', [join(root, 'pipe.h')]);
writeFileSync(join(root, 'large.h'), '');
truncateSync(join(root, 'large.h'), 64 * 1024 * 1024);

const tree = sourceDirectory(root)!;

test('sourceDirectory() lists files and directories, and symlinks by their target', () => {
  assert.deepEqual([...tree.list('')!].toSorted(), ['inner/', 'large.h', 'sub/']);
  assert.deepEqual(tree.list('inner'), ['a.c']);
  assert.equal(tree.list('none'), undefined);
});

test('sourceDirectory() reads nothing outside its root', () => {
  assert.equal(new TextDecoder().decode(tree.read('inner/a.c')), 'int a;\n');
  for (const path of ['outer.h', '../secret', 'outer/passwd', 'loop', 'sub', 'none']) {
    assert.equal(tree.read(path), undefined, path);
  }
  assert.equal(tree.list('..'), undefined);
  assert.equal(tree.list('outer'), undefined);
});

test('sourceDirectory() reads neither a pipe nor a file that is too large', () => {
  assert.equal(tree.read('pipe.h'), undefined);
  assert.equal(tree.read('large.h'), undefined);
});

test('openOffered() fails when the source directory does not exist', () => {
  const offered = openOffered(join(directory, 'none'));
  assert.ok(!offered.ok && offered.error.action === 'read the source directory');
});
