/** `matchSource()` considers how the source is built: preprocessed and generated files, directories and commands. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { treePlaceOf } from '../../../core/source/match.ts';
import { moduleOf, treeOf } from './trees.ts';
import { vendor, srcversionOf, info, context, match } from './match-stage.ts';

test('matchSource() preprocesses when the text alone is not enough', () => {
  const files = {
    ...vendor,
    'main.c': '#ifdef CONFIG_FOO\n#include "foo.h"\n#endif\n#include "alt.h"\n',
    'io.c': 'int io;\n',
    'alt.h': '#if 0\n#include "foo.h"\n#endif\nint alt;\n',
  };
  const srcversion = srcversionOf(files['main.c'], files['alt.h'], files['io.c']);
  const module = moduleOf('foo.ko', { ...info, srcversion }, 2);
  const found = match(files, module, context(''));
  assert.deepEqual([found.outcome, found.srcversion.method], ['consistent', 'preprocessor']);
  const without = match(files, module);
  assert.equal(without.outcome, 'undecided');
  assert.match(without.reasons.join('\n'), /give its headers/);
});

test('matchSource() accepts a srcversion of a build that counts no headers', () => {
  const srcversion = srcversionOf(vendor['main.c']!, vendor['io.c']!);
  assert.equal(match(vendor, moduleOf('foo.ko', { ...info, srcversion }, 2)).outcome, 'consistent');
});

test('matchSource() names a generated file that is missing', () => {
  const files = {
    ...vendor,
    Makefile: `${vendor['Makefile']!}$(obj)/table.h: $(obj)/mktable\n`,
    'io.c': '#include "table.h"\n',
  };
  const module = moduleOf('foo.ko', { ...info, srcversion: 'F'.repeat(23) }, 2);
  const found = match(files, module, context(''));
  assert.deepEqual([found.outcome, found.suspectFiles], ['undecided', ['table.h']]);
  assert.match(found.reasons[0]!, /"table\.h".*generated/);
});

test("matchSource() reads a generated file from the build's generated files", () => {
  const files = {
    ...vendor,
    Makefile: `${vendor['Makefile']!}$(obj)/table.h: mk\n`,
    'io.c': '#include "table.h"\n',
  };
  const srcversion = srcversionOf(vendor['main.c']!, vendor['foo.h']!, files['io.c'], 'int t;');
  const build = { ...context(''), generated: treeOf({ 'table.h': 'int t;' }) };
  const found = match(files, moduleOf('foo.ko', { ...info, srcversion }, 2), build);
  assert.equal(found.outcome, 'consistent');
});

test('matchSource() uses a _shipped file as the file that is made from it', () => {
  const { 'io.c': io, ...rest } = vendor;
  assert.equal(match({ ...rest, 'io.c_shipped': io! }).outcome, 'consistent');
});

test('matchSource() finds the right directory among several versions', () => {
  const versions = Object.fromEntries(
    Object.entries(vendor).flatMap(([path, text]) => [
      [`foo-0.9/${path}`, path === 'io.c' ? 'int old;\n' : text],
      [`foo-1.0/${path}`, text],
    ]),
  );
  const found = match(versions);
  assert.deepEqual([found.outcome, found.directory], ['consistent', 'foo-1.0']);
});

test('matchSource() is undecided when a command decides what is built', () => {
  const files = {
    ...vendor,
    Makefile:
      'obj-m := foo.o\nfoo-y := main.o io.o\nifeq ($(shell test -e x && echo y),y)\nfoo-y += x.o\nendif\n',
    'io.c': 'int changed;\n',
  };
  const found = match(files);
  assert.equal(found.outcome, 'undecided');
  assert.match(found.reasons.join('\n'), /depends on the command "test -e x/);
});

test('matchSource() stops at headers that include each other', () => {
  const files = { ...vendor, 'foo.h': '#include "bar.h"\n', 'bar.h': '#include "foo.h"\n' };
  assert.equal(match(files).outcome, 'differs');
  assert.equal(match(files, undefined, context('')).outcome, 'undecided');
});

test("matchSource() finds an in-tree module's source by its path", () => {
  const files = {
    Kbuild: '',
    'scripts/Makefile.build': '',
    'kernel/Makefile': '',
    'drivers/net/Makefile': 'obj-$(CONFIG_FOO) += foo/\n',
    'drivers/net/foo/Makefile': 'obj-$(CONFIG_FOO) += foo.o\n',
    'drivers/net/foo/foo.c': '#include "foo.h"\n#include <net/foo.h>\n',
    'drivers/net/foo/foo.h': 'int foo;\n',
    'include/net/foo.h': 'int net;\n',
  };
  const srcversion = srcversionOf(files['drivers/net/foo/foo.c'], files['drivers/net/foo/foo.h']);
  const module = moduleOf(
    '/lib/modules/6.12/kernel/drivers/net/foo/foo.ko.xz',
    { ...info, srcversion },
    1,
  );
  const found = match(files, module, context('CONFIG_FOO=m\nCONFIG_X86=y\n'));
  assert.deepEqual([found.outcome, found.directory], ['consistent', 'drivers/net/foo']);
  const unplaced = match(files, { ...module, file: 'foo.ko' }, context('CONFIG_FOO=m\n'));
  assert.equal(unplaced.outcome, 'consistent');
});

test('treePlaceOf() returns the path of a module in the kernel tree', () => {
  assert.deepEqual(treePlaceOf('/lib/modules/6.1/kernel/fs/ext4/ext4.ko.zst'), {
    place: 'fs/ext4/ext4',
    name: 'ext4',
  });
  assert.deepEqual(treePlaceOf('/tmp/a.b.ko'), { place: undefined, name: 'a.b' });
});
