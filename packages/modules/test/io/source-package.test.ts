/** Source packages are unpacked with their patches, when nobody altered them. */
import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { privateDirectory } from '../../../base/io/private-directory.ts';
import { unpackSourcePackage } from '../../io/source/source-package.ts';
import { tar } from '../core/packages/builders.ts';
import { formatProblem } from '../../../base/problem.ts';
import { suiteDirectory } from '../../../../testing/temporary-directory.ts';
import { skipWithout } from './programs.ts';

const scratch = suiteDirectory('test-source-package');
let sources = 0;

const top = (name: string, contents: string) => ({ name: `x-1/${name}`, contents });
const patch = (from: string, to: string) => `--- a/m.c\n+++ b/m.c\n@@ -1 +1 @@\n-${from}\n+${to}\n`;

function sourcePackage(
  patches: Readonly<Record<string, string>>,
  series = Object.keys(patches).join('\n'),
) {
  const directory = join(scratch, `source${sources++}`);
  mkdirSync(directory);
  const parts = {
    'x_1.orig.tar.gz': gzipSync(tar(top('m.c', 'one\n'), top('debian/old', 'upstream'))),
    'x_1.orig-extra.tar.gz': gzipSync(tar({ name: 'e/f.c', contents: 'extra' })),
    'x_1-1.debian.tar.gz': gzipSync(
      tar(
        { name: 'debian/patches/series', contents: `# first\n${series}\n` },
        ...Object.entries(patches).map(([name, contents]) => ({
          name: `debian/patches/${name}`,
          contents,
        })),
      ),
    ),
  };
  const sums = Object.entries(parts).map(([name, bytes]) => {
    writeFileSync(join(directory, name), bytes);
    return ` ${createHash('sha256').update(bytes).digest('hex')} ${bytes.length} ${name}`;
  });
  const dsc = join(directory, 'x_1-1.dsc');
  const fields = 'Format: 3.0 (quilt)\nSource: x\nVersion: 1-1\nChecksums-Sha256:\n';
  writeFileSync(dsc, `${fields}${sums.join('\n')}\n`);
  return { dsc, directory };
}

test(
  'unpackSourcePackage() unpacks all tarballs and applies the patches in order',
  skipWithout('patch'),
  async () => {
    const { dsc } = sourcePackage({
      'b.diff': patch('one', 'two'),
      'a.diff': patch('two', 'three'),
    });
    using directory = privateDirectory(scratch);
    const source = await unpackSourcePackage(dsc, directory.path);
    assert.ok(source.ok, source.ok ? '' : formatProblem(source.error));
    assert.equal(readFileSync(join(source.value.directory, 'm.c'), 'utf8'), 'three\n');
    assert.equal(readFileSync(join(source.value.directory, 'extra/f.c'), 'utf8'), 'extra');
    assert.ok(!existsSync(join(source.value.directory, 'debian/old')));
    assert.deepEqual(source.value.notes, []);
  },
);

test('unpackSourcePackage() refuses altered files', async () => {
  const { dsc, directory: from } = sourcePackage({});
  const tarball = join(from, 'x_1.orig.tar.gz');
  const bytes = readFileSync(tarball);
  bytes[bytes.length - 1] = 1 ^ (bytes.at(-1) ?? 0);
  writeFileSync(tarball, bytes);
  using directory = privateDirectory(scratch);
  const source = await unpackSourcePackage(dsc, directory.path);
  assert.match(source.ok ? '' : formatProblem(source.error), /SHA-256 differs/);
});

test(
  'unpackSourcePackage() refuses patches that write outside, run commands or do not fit',
  skipWithout('patch'),
  async () => {
    const target = join(scratch, 'escaped');
    const hostile: Readonly<Record<string, string>> = {
      dots: `--- /dev/null\n+++ b/../../../escaped\n@@ -0,0 +1 @@\n+evil\n`,
      absolute: `--- /dev/null\n+++ ${target}\n@@ -0,0 +1 @@\n+evil\n`,
      link: `diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+${scratch}\n\\ No newline at end of file\n`,
      ed: `--- a/m.c\n+++ b/m.c\n1c\ntwo\n.\n!touch ${target}\n`,
      misfit: patch('other', 'two'),
    };
    for (const [name, text] of Object.entries(hostile)) {
      using directory = privateDirectory(scratch);
      const source = await unpackSourcePackage(sourcePackage({ [name]: text }).dsc, directory.path);
      assert.ok(!source.ok, `${name} was applied`);
      const contents = readFileSync(join(directory.path, 'source/m.c'), 'utf8');
      assert.equal(contents, 'one\n', name);
      assert.ok(!existsSync(target), name);
    }
    for (const series of ['../../x', 'x -p0', '/etc/passwd']) {
      using directory = privateDirectory(scratch);
      const source = await unpackSourcePackage(sourcePackage({}, series).dsc, directory.path);
      assert.match(source.ok ? '' : formatProblem(source.error), /not supported/, series);
    }
  },
);
