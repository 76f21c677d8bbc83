/** The loader's rules for symbols, over plain modules. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { newState } from '../../../core/loader/loader-verdict.ts';
import type { LoaderVerdict } from '../../../core/loader/verdict.ts';
import { exportFixture, gplExport, importFixture, type ModuleFixture } from '../fixtures.ts';
import { check, licenseLines, verdictOf, type Row } from './loader-rows.ts';

describe('loaderVerdict() resolves symbols', () => {
  const rows: readonly Row[] = [
    {
      when: 'a GPL module needs plain and GPL-only symbols',
      module: { symbols: [importFixture('printk'), importFixture('synchronize_rcu')] },
      messages: [],
    },
    {
      when: 'the last of several errors is a common symbol',
      module: {
        symbols: [
          importFixture('printk', { crc: undefined }),
          importFixture('gone'),
          { kind: 'common', name: 'buffer' },
          { kind: 'common', name: '__gnu_lto_v1' },
        ],
      },
      errno: 'ENOEXEC',
      messages: [
        'good: no symbol version for printk',
        'good: Unknown symbol printk (err -22)',
        'good: Unknown symbol gone (err -2)',
        'good: please compile with -fno-common',
      ],
    },
    {
      when: 'the last of several errors is an unknown symbol',
      module: { symbols: [{ kind: 'common', name: 'buffer' }, importFixture('gone')] },
      errno: 'ENOENT',
      messages: ['good: please compile with -fno-common', 'good: Unknown symbol gone (err -2)'],
    },
    {
      when: 'a symbol is in no section',
      module: { symbols: [{ kind: 'bad section', name: 's', section: 99, sectionMax: 40 }] },
      errno: 'ENOEXEC',
      messages: ['good: Symbol s has an invalid section index 99 (max 40)'],
    },
    {
      when: 'a weak reference is unknown',
      module: { symbols: [importFixture('gone', { weak: true })] },
      messages: [],
    },
    {
      when: 'a weak reference has a wrong version',
      module: { symbols: [importFixture('printk', { weak: true, crc: 1 })] },
      errno: 'EINVAL',
      messages: [
        'good: disagrees about version of symbol printk',
        'good: Unknown symbol printk (err -22)',
      ],
    },
    {
      when: 'a proprietary module has a weak GPL-only reference',
      module: {
        tags: { license: 'BSD' },
        symbols: [importFixture('synchronize_rcu', { weak: true })],
      },
      taints: 'P',
      messages: licenseLines('BSD'),
    },
    {
      when: 'an assembler left a symbol behind on x86',
      module: { symbols: [importFixture('_GLOBAL_OFFSET_TABLE_')] },
      messages: [],
    },
    {
      when: 'an assembler left a symbol behind on another machine',
      module: { machine: 183, symbols: [importFixture('_GLOBAL_OFFSET_TABLE_')] },
      kernel: { machine: 183 },
      errno: 'ENOENT',
      messages: ['good: Unknown symbol _GLOBAL_OFFSET_TABLE_ (err -2)'],
    },
    {
      when: 'an export has no version',
      module: { symbols: [importFixture('plain', { crc: undefined })] },
      kernel: { exports: [exportFixture('plain', { crc: undefined })] },
      messages: [],
    },
    {
      when: 'the namespace is imported',
      module: { tags: { import_ns: 'CRYPTO' }, symbols: [importFixture('ns')] },
      kernel: { exports: [exportFixture('ns', { namespace: 'CRYPTO' })] },
      messages: [],
    },
    {
      when: 'the namespace is not imported',
      module: { tags: { import_ns: 'CRYPT' }, symbols: [importFixture('ns', { weak: true })] },
      kernel: { exports: [exportFixture('ns', { namespace: 'CRYPTO' })] },
      errno: 'EINVAL',
      messages: [
        'good: module uses symbol (ns) from namespace CRYPTO, but does not import it.',
        'good: Unknown symbol ns (err -22)',
      ],
    },
    {
      when: 'the namespace need not be imported',
      module: { symbols: [importFixture('ns')] },
      kernel: {
        exports: [exportFixture('ns', { namespace: 'CRYPTO' })],
        config: { allowMissingNamespaces: true },
      },
      messages: ['good: module uses symbol (ns) from namespace CRYPTO, but does not import it.'],
    },
    {
      when: 'the version is wrong and the namespace is not imported',
      module: { symbols: [importFixture('ns', { crc: 1 })] },
      kernel: { exports: [exportFixture('ns', { namespace: 'CRYPTO' })] },
      errno: 'EINVAL',
      messages: ['good: disagrees about version of symbol ns', 'good: Unknown symbol ns (err -22)'],
    },
  ];
  for (const row of rows) check(row);

  const withProvider = (
    symbols: ModuleFixture['symbols'] & {},
    user: ModuleFixture = {},
    provider: ModuleFixture = {},
  ): LoaderVerdict => {
    const state = newState();
    const exports = [exportFixture('prop_plain'), gplExport('prop_gpl')];
    const first = verdictOf({
      state,
      module: { name: 'prop', tags: { license: 'Proprietary' }, exports, ...provider },
    });
    assert.equal(first.result, 'load');
    return verdictOf({ state, module: { ...user, symbols } });
  };

  test('inherits P with the first symbol of a proprietary module', () => {
    const verdict = withProvider([importFixture('printk'), importFixture('prop_plain')]);
    assert.equal(verdict.result, 'load');
    assert.equal(verdict.taints, 'P');
    assert.deepEqual(verdict.messages, [
      'good: module uses symbols prop_plain from proprietary module prop, inheriting taint.',
    ]);
  });

  test('hides GPL-only symbols that come after the proprietary one', () => {
    const verdict = withProvider([importFixture('prop_plain'), importFixture('synchronize_rcu')]);
    assert.equal(verdict.errno, 'ENOENT');
    assert.deepEqual(verdict.messages, [
      'good: module uses symbols prop_plain from proprietary module prop, inheriting taint.',
      'good: Unknown symbol synchronize_rcu (err -2)',
    ]);
  });

  test('refuses a proprietary symbol that comes after a GPL-only one', () => {
    const verdict = withProvider([importFixture('synchronize_rcu'), importFixture('prop_plain')]);
    assert.equal(verdict.errno, 'ENOENT');
    assert.equal(verdict.taints, '');
    assert.deepEqual(verdict.messages, [
      'good: module using GPL-only symbols uses symbols prop_plain from proprietary module prop.',
      'good: Unknown symbol prop_plain (err -2)',
    ]);
  });

  test('leaves a weak proprietary symbol empty after a GPL-only one', () => {
    const verdict = withProvider([
      importFixture('synchronize_rcu'),
      importFixture('prop_plain', { weak: true }),
    ]);
    assert.equal(verdict.result, 'load');
    assert.deepEqual(verdict.messages, [
      'good: module using GPL-only symbols uses symbols prop_plain from proprietary module prop.',
    ]);
  });

  test('refuses a GPL-only symbol of a proprietary module', () => {
    const verdict = withProvider([importFixture('prop_gpl')]);
    assert.equal(verdict.errno, 'ENOENT');
    assert.match(verdict.messages[0] ?? '', /using GPL-only symbols uses symbols prop_gpl/);
  });

  test('logs no inheritance for a module that is proprietary already', () => {
    const verdict = withProvider([importFixture('prop_plain')], { tags: { license: 'BSD' } });
    assert.equal(verdict.result, 'load');
    assert.deepEqual(verdict.messages, []);
  });

  test('inherits no P from ndiswrapper', () => {
    const provider: ModuleFixture = { name: 'ndiswrapper', tags: { license: 'GPL' } };
    const verdict = withProvider([importFixture('prop_plain')], {}, provider);
    assert.equal(verdict.taints, '');
    assert.deepEqual(verdict.messages, []);
  });

  test('inherits P before it compares the CRC', () => {
    const verdict = withProvider([importFixture('prop_plain', { crc: 1 })]);
    assert.equal(verdict.errno, 'EINVAL');
    assert.equal(verdict.taints, 'P');
    assert.equal(verdict.messages.length, 3);
  });
});
