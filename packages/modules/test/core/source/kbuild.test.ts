import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Kbuild } from '../../../core/source/kbuild.ts';
import type { BuildSettings } from '../../../core/source/recipe.ts';
import { PathSpace } from '../../../core/source/source-tree.ts';
import { cachedTree } from './trees.ts';

function kbuild(
  files: Readonly<Record<string, string>>,
  settings: Partial<BuildSettings> = {},
): Kbuild {
  const tree = cachedTree(files);
  const kind = settings.kind ?? 'external';
  const space = new PathSpace().mount(kind === 'kernel' ? '/linux/' : '/module/', tree);
  return new Kbuild(tree, space, {
    kind,
    config: new Map(),
    unset: new Set(),
    release: '6.12.1-test',
    architecture: 'x86',
    ...settings,
  });
}

const objects = (files: Readonly<Record<string, string>>, name: string) =>
  kbuild(files)
    .recipesNamed(name)
    .map((each) => [each.directory, ...each.objects]);

test('Kbuild lists objects of -objs, -y and -m in that order, each once', () => {
  const Makefile = 'obj-m := foo.o\nfoo-m := c.o\nfoo-y := b.o a.o\nfoo-objs := a.o sub/d.o\n';
  assert.deepEqual(objects({ Makefile }, 'foo'), [['', 'a.o', 'sub/d.o', 'b.o', 'c.o']]);
});

test('Kbuild treats a module without parts as its own object', () => {
  assert.deepEqual(objects({ Kbuild: 'obj-m += my-mod.o\n', Makefile: 'x' }, 'my_mod'), [
    ['', 'my-mod.o'],
  ]);
});

test('Kbuild finds a module in any directory, by name or by path', () => {
  const files = {
    Makefile: 'all:\n\tmake -C sub\n',
    'src/a/Kbuild': 'obj-m := foo.o\n',
    'src/b/Makefile': 'obj-m := deep/bar.o\ndeep/bar-y := deep/x.o\n',
  };
  assert.deepEqual(objects(files, 'foo'), [['src/a', 'foo.o']]);
  assert.deepEqual(kbuild(files, { kind: 'kernel' }).recipeAt('src/a/foo')?.objects, ['foo.o']);
});

test('Kbuild treats a module as enabled when its CONFIG_ variable is unset', () => {
  const recipe = kbuild({ Makefile: 'obj-$(CONFIG_FOO) += foo.o\n' }).recipesNamed('foo')[0]!;
  assert.deepEqual([recipe.objects, recipe.unknowns], [['foo.o'], []]);
});

test('Kbuild uses the kernel configuration', () => {
  const files = {
    'drivers/net/Makefile':
      'subdir-ccflags-y := -DABOVE\nobj-$(CONFIG_FOO) += foo.o\nfoo-y := a.o\nfoo-$(CONFIG_EXTRA) += b.o\n',
  };
  const config = new Map([
    ['CONFIG_FOO', 'm'],
    ['CONFIG_EXTRA', 'y'],
  ]);
  const recipe = kbuild(files, { kind: 'kernel', config }).recipeAt('drivers/net/foo')!;
  assert.deepEqual(recipe.objects, ['a.o', 'b.o']);
});

test("Kbuild collects an object's compiler options, parent directories first", () => {
  const files = {
    Makefile: 'obj-y += sub/\nsubdir-ccflags-y := -I$(src)/include\nexport KIND := two\n',
    'sub/Makefile':
      'obj-m := foo.o\nccflags-y := -DKIND=$(KIND)\nCFLAGS_foo.o = -DOF=$(notdir $@)\nasflags-y := -DASM\n',
  };
  const recipe = kbuild(files).recipesNamed('foo')[0]!;
  assert.deepEqual(recipe.flags('foo.o', false).options, [
    '-I/module/include',
    '-DKIND=two',
    '-DOF=foo.o',
  ]);
  assert.deepEqual(recipe.flags('foo.o', true).options, ['-DASM']);
});

test('Kbuild lists objects that ldflags-y links in', () => {
  const Makefile = 'obj-m := foo.o\nldflags-y += -T x.lds $(src)/blob.o\n';
  assert.deepEqual(kbuild({ Makefile }).recipesNamed('foo')[0]!.linked, ['/module/blob.o']);
});

test('Kbuild finds the prerequisites of a file in rules and patterns', () => {
  const Makefile = 'obj-m := foo.o\n$(obj)/x/%.o: $(src)/y/%.c FORCE\n$(obj)/t.c: $(obj)/mkt\n';
  const recipe = kbuild({ Makefile }).recipesNamed('foo')[0]!;
  assert.deepEqual(recipe.madeOf('/module/x/a.o'), ['/module/y/a.c', 'FORCE']);
  assert.deepEqual(recipe.madeOf('/module/t.c'), ['/module/mkt']);
  assert.equal(recipe.madeOf('/module/a.o'), undefined);
});

test('Kbuild reports a makefile that cannot be evaluated and goes on', () => {
  const files = {
    'a/Makefile': 'f = $(call f)\nobj-m := $(f)$(call f)\n',
    'b/Makefile': 'obj-m := foo.o\n',
  };
  const build = kbuild(files);
  assert.equal(build.recipesNamed('foo')[0]?.directory, 'b');
  assert.match(build.problems.join('\n'), /"a\/Makefile"/);
});

test('Kbuild passes exports to directories that an unset variable enables', () => {
  const files = {
    Kbuild: 'obj-$(ALL)$(CONFIG_SUB) += sub/\nWITH_IO := y\nexport WITH_IO\n',
    'sub/Kbuild': 'obj-m += foo.o\nfoo-y := main.o\nfoo-$(WITH_IO) += io.o\n',
  };
  const recipe = kbuild(files).recipesNamed('foo')[0]!;
  assert.deepEqual([recipe.objects, recipe.unknowns], [['main.o', 'io.o'], []]);
});

test('Kbuild lists the unknowns that objects depend on, and objects linked in any case', () => {
  const Makefile =
    'obj-m := foo.o\nfoo-objs := main.o\nifdef WITH_DB\nfoo-objs += db.o\nelse\nfoo-objs += no-db.o\nendif\nfoo-$(WITH_IO) += io.o\nifdef X\nCFLAGS_a.o := 1\nendif\n';
  const recipe = kbuild({ Makefile }).recipesNamed('foo')[0]!;
  assert.deepEqual(recipe.unknowns, ['the variable "WITH_DB"', 'the variable "WITH_IO"']);
  assert.deepEqual(recipe.objects, ['main.o', 'no-db.o']);
  assert.deepEqual([...recipe.certain], ['main.o']);
  assert.deepEqual(recipe.flags('a.o', false).unknowns, ['the variable "X"']);
  assert.deepEqual(recipe.flags('b.o', false).unknowns, []);
});
