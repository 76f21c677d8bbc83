/** The loader's rules for taints, over plain modules. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { newState } from '../../../core/loader/loader-verdict.ts';
import { importFixture } from '../fixtures.ts';
import {
  check,
  licenseLines,
  lockLine,
  mask,
  outOfTreeLine,
  unsignedLine,
  verdictOf,
  type Given,
  type Row,
} from './loader-rows.ts';

describe('loaderVerdict() taints', () => {
  const rows: readonly Row[] = [
    {
      when: 'the module is out of tree',
      module: { tags: { intree: undefined } },
      taints: 'O',
      messages: [outOfTreeLine],
    },
    { when: 'intree is empty', module: { tags: { intree: '' } }, messages: [] },
    {
      when: 'the module is from staging',
      module: { tags: { staging: 'Y' } },
      taints: 'C',
      messages: [
        'good: module is from the staging directory, the quality is unknown, you have been warned.',
      ],
    },
    {
      when: 'the module is a live patch',
      module: { tags: { livepatch: 'Y' } },
      taints: 'K',
      messages: ['good: tainting kernel with TAINT_LIVEPATCH'],
    },
    {
      when: 'the module is a test',
      module: { tags: { test: 'Y' } },
      taints: 'N',
      messages: ['good: loading test module taints kernel.'],
    },
    {
      when: 'the module has no retpoline',
      module: { tags: { retpoline: undefined } },
      messages: [
        'Spectre V2 : System may be vulnerable to spectre v2',
        'good: loading module not compiled with retpoline compiler.',
      ],
    },
    {
      when: 'the module has no retpoline and the processor needs none',
      module: { tags: { retpoline: undefined } },
      kernel: { settings: { spectreV2Mitigated: false } },
      messages: [],
    },
    {
      when: 'the module has no license',
      module: { tags: { license: undefined } },
      taints: 'P',
      messages: licenseLines('unspecified'),
    },
    {
      when: 'all apply at once',
      signature: 'none',
      module: {
        tags: {
          intree: undefined,
          retpoline: undefined,
          staging: 'Y',
          livepatch: 'Y',
          license: 'Proprietary',
          test: 'Y',
        },
      },
      taints: 'PCOEKN',
      messages: [
        outOfTreeLine,
        'Spectre V2 : System may be vulnerable to spectre v2',
        'good: loading module not compiled with retpoline compiler.',
        'good: module is from the staging directory, the quality is unknown, you have been warned.',
        'good: tainting kernel with TAINT_LIVEPATCH',
        "good: module license 'Proprietary' taints kernel.",
        lockLine,
        'good: loading test module taints kernel.',
        unsignedLine,
        'good: module license taints kernel.',
      ],
    },
    {
      when: 'its name is lve, whatever its license',
      module: { name: 'lve', symbols: [importFixture('synchronize_rcu')] },
      errno: 'ENOENT',
      taints: 'P',
      messages: [
        lockLine,
        'lve: module license taints kernel.',
        'lve: Unknown symbol synchronize_rcu (err -2)',
      ],
    },
    {
      when: 'its name is driverloader, whatever its license',
      module: { name: 'driverloader' },
      taints: 'P',
      messages: [lockLine, 'driverloader: module license taints kernel.'],
    },
    {
      when: 'only .modinfo has the name lve',
      module: { name: 'lve', structName: 'lvx', symbols: [importFixture('synchronize_rcu')] },
      messages: [],
    },
    {
      when: 'its name is ndiswrapper, which keeps GPL-only symbols',
      module: { name: 'ndiswrapper', symbols: [importFixture('synchronize_rcu')] },
      taints: '',
      kernelTaints: 'P',
      messages: [lockLine, 'ndiswrapper: module license taints kernel.'],
    },
    {
      when: 'the module taints the kernel and is then refused',
      signature: 'none',
      module: {
        tags: { license: 'Proprietary', intree: undefined },
        symbols: [importFixture('synchronize_rcu')],
      },
      errno: 'ENOENT',
      taints: 'POE',
      messages: [
        outOfTreeLine,
        "good: module license 'Proprietary' taints kernel.",
        lockLine,
        unsignedLine,
        'good: module license taints kernel.',
        'good: Unknown symbol synchronize_rcu (err -2)',
      ],
    },
  ];
  for (const row of rows) check(row);

  test('treats six licenses as GPL-compatible, and none that resembles them', () => {
    const taintsOf = (license: string) => verdictOf({ module: { tags: { license } } }).taints;
    const six = 'GPL|GPL v2|GPL and additional rights|Dual BSD/GPL|Dual MIT/GPL|Dual MPL/GPL';
    for (const license of six.split('|')) assert.equal(taintsOf(license), '', license);
    const others =
      'GPLv2|GPL v3|gpl|GPL | GPL|BSD|MIT|Apache-2.0|GPL-2.0|LGPL||GPL v2+|Proprietary|Dual BSD/GPL ';
    for (const license of others.split('|')) assert.equal(taintsOf(license), 'P', license);
  });

  test('reads only the first license', () => {
    const entry = (value: string) => ({ tag: 'license', value });
    const both = (one: string, two: string) =>
      verdictOf({ module: { tags: { license: undefined }, moreTags: [entry(one), entry(two)] } });
    assert.equal(both('GPL', 'Proprietary').taints, '');
    assert.equal(both('Proprietary', 'GPL').taints, 'P');
  });

  test('reads a license only up to its NUL', () => {
    // The rest of `GPL\0for files in …` is an entry without a tag.
    const rest = { tag: '', value: 'for files in licenses/GPL, Proprietary' };
    assert.equal(verdictOf({ module: { moreTags: [rest] } }).taints, '');
  });

  test('explains why a license is not compatible', () => {
    const message = (license: string | undefined) =>
      verdictOf({ module: { tags: { license } } }).reasons.map((each) => each.reason);
    assert.deepEqual(message('BSD'), [
      'License "BSD" is none of the six that the kernel treats as GPL-compatible, so the kernel is tainted P and GPL-only symbols are hidden from it',
    ]);
    assert.match(message('GPLv2')[0] ?? '', /close to "GPL v2", but every character counts/);
    assert.match(message(undefined)[0] ?? '', /^It has no license, so/);
  });

  test('logs once-only messages once, and license lines until the kernel is tainted', () => {
    const state = newState();
    const given = (name: string): Given => ({
      state,
      signature: 'none',
      module: {
        name,
        tags: { license: 'BSD', intree: undefined, livepatch: 'Y', test: 'Y', staging: 'Y' },
      },
    });
    assert.equal(verdictOf(given('one')).messages.length, 8);
    assert.deepEqual(verdictOf(given('two')).messages, [
      'two: module is from the staging directory, the quality is unknown, you have been warned.',
    ]);
  });

  test('omits messages of O, P, F and N when the kernel is tainted, but not of E and K', () => {
    const state = newState(mask('POFNEK'));
    const verdict = verdictOf({
      state,
      signature: 'none',
      module: {
        tags: {
          license: 'BSD',
          intree: undefined,
          livepatch: 'Y',
          test: 'Y',
          vermagic: undefined,
        },
      },
    });
    assert.deepEqual(verdict.messages, [
      'good: tainting kernel with TAINT_LIVEPATCH',
      unsignedLine,
    ]);
    assert.equal(verdict.taints, 'PFOEKN');
  });
});
