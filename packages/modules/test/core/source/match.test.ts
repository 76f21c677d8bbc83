/** `matchSource()` compares a module with a source: files, objects, licenses and functions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildContext } from '../../../core/source/build-context.ts';
import { matchSource } from '../../../core/source/match.ts';
import { OfferedSource } from '../../../core/source/offered.ts';
import { moduleOf, treeOf } from './trees.ts';
import { vendor, srcversionOf, vendorSrcversion, info, context, match } from './match-stage.ts';

test('matchSource() calls the right source consistent, but not a proof', () => {
  const found = match(vendor);
  assert.equal(found.outcome, 'consistent');
  assert.equal(found.srcversion.computed, vendorSrcversion);
  assert.deepEqual(found.srcversion.files, ['main.c', 'foo.h', 'io.c', 'foo.h']);
  assert.deepEqual(found.objects, [
    { object: 'main.o', source: 'main.c' },
    { object: 'io.o', source: 'io.c' },
  ]);
  assert.deepEqual(found.compilers, { inModule: 4, inMakefile: 4 });
  assert.match(found.reasons.join('\n'), /consistent, but not a proof/);
});

test('matchSource() is undecided while the configuration leaves the objects open', () => {
  const conditional = {
    ...vendor,
    Makefile: 'obj-m := foo.o\nfoo-y := main.o\nfoo-$(CONFIG_FOO_IO) += io.o\n',
  };
  assert.equal(match(conditional).outcome, 'undecided');
  const withIo = match(conditional, undefined, context('CONFIG_FOO_IO=y\n'));
  assert.equal(withIo.outcome, 'consistent');
  const without = context('# CONFIG_FOO_IO is not set\n');
  assert.equal(match(conditional, undefined, without).outcome, 'differs');
  assert.equal(match(conditional, undefined, context('')).outcome, 'undecided');
});

test('matchSource() differs when one byte changes in any file that counts', () => {
  for (const file of ['main.c', 'io.c', 'foo.h']) {
    const changed = { ...vendor, [file]: vendor[file]!.replace(/;\n$/, ' ,\n') };
    const found = match(changed);
    assert.equal(found.outcome, 'differs', file);
    assert.match(found.reasons.join('\n'), /srcversion of the offered source is/);
  }
});

test('matchSource() ignores changed comments and blanks, like modpost', () => {
  const changed = { ...vendor, 'io.c': `/* new */\n\n${vendor['io.c']!}` };
  assert.equal(match(changed).outcome, 'consistent');
});

test('matchSource() names an extra file, and a different version', () => {
  const files = { ...vendor, 'io.c': `${vendor['io.c']!}#include "new.h"\n`, 'new.h': 'int n;\n' };
  const srcversion = srcversionOf(
    vendor['main.c']!,
    vendor['foo.h']!,
    files['io.c'],
    vendor['foo.h']!,
  );
  const module = moduleOf('foo.ko', { ...info, version: '0.9', srcversion }, 2);
  const found = match(files, module);
  assert.deepEqual([found.outcome, found.suspectFiles], ['differs', ['new.h']]);
  assert.match(found.reasons.join('\n'), /of version "1\.0", the module of "0\.9"/);
});

test('matchSource() differs when an object has no source', () => {
  const files = {
    ...vendor,
    Makefile: 'obj-m := foo.o\nfoo-y := main.o io.o blob.o\n',
    'blob.o_shipped': 'x',
  };
  const found = match(files, moduleOf('foo.ko', info, 3));
  assert.equal(found.outcome, 'differs');
  assert.deepEqual(found.suspectFiles, ['blob.o']);
  assert.match(found.reasons[0]!, /"blob\.o" is linked in without source/);
});

test('matchSource() does not treat a rule that copies an object as its source', () => {
  const Makefile = 'obj-m := foo.o\nfoo-y := main.o io.o blob.o\n$(obj)/blob.o: $(src)/blob.bin\n';
  assert.equal(
    match({ ...vendor, Makefile, 'blob.bin': 'x' }, moduleOf('foo.ko', info, 3)).outcome,
    'differs',
  );
});

test('matchSource() differs when ldflags-y links an object without source', () => {
  const Makefile = `${vendor['Makefile']!}ldflags-y := $(src)/blob.o\n`;
  const found = match({ ...vendor, Makefile });
  assert.deepEqual([found.outcome, found.suspectFiles], ['differs', ['blob.o']]);
});

test('matchSource() differs when the module has more compiled objects than the makefile', () => {
  const found = match(vendor, moduleOf('foo.ko', info, 3));
  assert.equal(found.outcome, 'differs');
  assert.match(found.reasons[0]!, /5 objects of the module are compiled/);
});

test('matchSource() is undecided without a srcversion, yet checks objects', () => {
  const found = match(vendor, moduleOf('foo.ko', { license: 'GPL' }, 2));
  assert.equal(found.outcome, 'undecided');
  assert.match(found.reasons.join('\n'), /has no srcversion/);
  const { 'io.c': _, ...less } = vendor;
  assert.equal(match(less, moduleOf('foo.ko', { license: 'GPL' }, 2)).outcome, 'differs');
});

test('matchSource() is undecided when no makefile builds the module', () => {
  const found = match(vendor, moduleOf('other.ko', info, 2));
  assert.equal(found.outcome, 'undecided');
  assert.match(found.reasons[0]!, /"other\.ko"/);
});

test('matchSource() compares licenses in addition to srcversion', () => {
  const other = moduleOf('foo.ko', { ...info, license: 'Dual BSD/GPL' }, 2);
  const found = match(vendor, other);
  assert.equal(found.outcome, 'differs');
  assert.match(found.license.contradictions[0]!, /is "GPL", that of the module "Dual BSD\/GPL"/);
  const files = { ...vendor, 'io.c': vendor['io.c']!.replace('MIT', 'GPL-3.0-only') };
  const relicensed = match(files);
  assert.equal(relicensed.outcome, 'consistent', 'srcversion leaves comments out');
  assert.deepEqual(relicensed.license.contradictions, [
    '"io.c" is under "GPL-3.0-only", the module claims "GPL"',
  ]);
  assert.deepEqual(
    [...relicensed.license.spdx],
    [
      ['GPL-2.0-only', 1],
      ['GPL-3.0-only', 1],
    ],
  );
});

test('matchSource() shows where the source contains closed terms', () => {
  const closed = {
    ...vendor,
    'io.c': `/* SPDX-License-Identifier: MIT\n * ACME: PROPRIETARY AND\n * CONFIDENTIAL */\n${vendor['io.c']}`,
    LICENSE: 'You may not copy, nor reverse engineer it.\n',
    'unused.c': '/* a trade secret */\n',
  };
  const found = match(closed);
  assert.deepEqual(found.license.closedTerms, [
    '"LICENSE" contains "may not copy, nor reverse engineer"',
    '"io.c" contains "proprietary and confidential"',
  ]);
  assert.equal(found.outcome, 'consistent', 'words decide nothing');
  assert.deepEqual(match(vendor).license.closedTerms, []);
  const open = moduleOf('foo.ko', { ...info, license: 'Proprietary' }, 2);
  assert.deepEqual(match(closed, open).license.closedTerms, [], 'it claims no GPL');
});

test('matchSource() refutes a borrowed srcversion by functions that the source does not have', () => {
  const built = moduleOf('x/foo.ko', { ...info, vermagic: '6.12.1 SMP' }, 2);
  const headers = {
    'include/linux/kconfig.h': '',
    'include/linux/x.h': '#define show(n) int n##_show(void)\nstatic inline int twice(int x);\n',
  };
  const files = {
    ...vendor,
    'main.c': `${vendor['main.c']!}int main_init(void) { return main_exit(1); }\nshow(state);\n`,
  };
  const srcversion = srcversionOf(
    files['main.c'],
    vendor['foo.h']!,
    vendor['io.c']!,
    vendor['foo.h']!,
  );
  const module = {
    ...built,
    modinfo: built.modinfo.map((each) =>
      each.tag === 'srcversion' ? { ...each, value: srcversion } : each,
    ),
  };
  const outcome = (names: readonly string[], build?: BuildContext, unnamedBytes = 0) => {
    const offered = new OfferedSource(treeOf(files), build);
    return matchSource(module, offered, { names, unnamedBytes });
  };
  const own = context('', headers);
  assert.equal(outcome(['main_init', 'state_show', 'twice'], own).outcome, 'consistent');
  const foreign = outcome(['main_init', 'secret_a', 'secret_b', 'secret_c'], own);
  assert.equal(foreign.outcome, 'differs');
  assert.match(foreign.reasons[0]!, /^3 of the 4 names .*"secret_a", "secret_b", "secret_c"$/);
  assert.equal(outcome(['main_init', 'secret_a'], own).outcome, 'undecided');

  // If the kernel's own headers are missing, functions that are not in the source may come from
  // them.
  const elsewhere = { ...context('', headers), release: '6.1.0' };
  for (const build of [elsewhere, undefined]) {
    assert.equal(outcome(['main_init', 'main_exit'], build).outcome, 'consistent');
    const unknown = outcome(['main_init', 'secret_a', 'secret_b', 'secret_c'], build);
    assert.equal(unknown.outcome, 'undecided');
    assert.match(unknown.reasons[0]!, /headers of its kernel, "6\.12\.1", are missing.*"secret_a"/);
  }

  // Names that were removed cannot be compared, nor can names of a file that is gone.
  const stripped = outcome(['main_init'], own, 120);
  assert.equal(stripped.outcome, 'undecided');
  assert.match(stripped.reasons[0]!, /^120 bytes of its code belong to no named function/);
  assert.equal(matchSource(module, new OfferedSource(treeOf(files), own)).outcome, 'undecided');
});

test('matchSource() is undecided when a non-GPL module contains compiled code', () => {
  const Makefile = `${vendor['Makefile']!}ldflags-y := $(src)/blob.o\n`;
  const claiming = (license: string) => moduleOf('foo.ko', { license }, 7);
  const files = {
    ...vendor,
    Makefile,
    'main.c': vendor['main.c']!.replace('"GPL"', '"Proprietary"'),
  };
  assert.equal(match(files, claiming('Proprietary')).outcome, 'undecided');
  assert.equal(match({ ...vendor, Makefile }, claiming('GPL')).outcome, 'differs');
});
