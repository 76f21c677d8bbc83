import assert from 'node:assert/strict';
import { test } from 'node:test';
import { declarationsOf, fitsKernel, spdxOf } from '../../../core/source/source-licenses.ts';
import { bytesOf } from './trees.ts';

test('spdxOf() reads the SPDX identifier in any kind of comment', () => {
  assert.equal(spdxOf(bytesOf('// SPDX-License-Identifier: GPL-2.0\n')), 'GPL-2.0');
  assert.equal(spdxOf(bytesOf('/* SPDX-License-Identifier: (MIT OR X) */\nint a;')), '(MIT OR X)');
  assert.equal(spdxOf(bytesOf('int a;')), undefined);
});

test('fitsKernel() evaluates OR and AND in SPDX expressions', () => {
  for (const each of [
    'GPL-2.0',
    'GPL-2.0-only',
    'GPL-2.0+ WITH Linux-syscall-note',
    'GPL-3.0-only OR MIT',
    '(GPL-2.0-only OR Apache-2.0) AND BSD-3-Clause',
    'LGPL-2.1-or-later',
  ]) {
    assert.equal(fitsKernel(each), true, each);
  }
  for (const each of [
    'GPL-3.0-or-later',
    'Apache-2.0',
    'MIT AND LGPL-3.0',
    'Proprietary',
    'CDDL-1.0',
  ]) {
    assert.equal(fitsKernel(each), false, each);
  }
  for (const each of ['', 'MIT MIT', ')']) assert.notEqual(fitsKernel(each), true, each);
  assert.equal(fitsKernel('('.repeat(10_000)), undefined);
});

test('declarationsOf() returns literal values, and flags computed ones', () => {
  const file = bytesOf(
    '#define MODULE_LICENSE_X 1\nMODULE_LICENSE("GPL");\nMODULE_LICENSE ( "Dual BSD/GPL" );\nMODULE_LICENSE(LIC);\n',
  );
  assert.deepEqual(declarationsOf(file, 'MODULE_LICENSE'), {
    values: ['GPL', 'Dual BSD/GPL'],
    computed: true,
  });
});
