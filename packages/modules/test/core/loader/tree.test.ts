/** Trees of modules: chains, refused providers, cycles, twins; and two kernels compared. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compare } from '../../../core/upgrade/compare-verdicts.ts';
import { exportIndex, judgeTree, type Candidate } from '../../../core/loader/dependency-order.ts';
import {
  exportFixture,
  gplExport,
  importFixture,
  kernelFixture,
  moduleFixture,
  signatureFixture,
  type ModuleFixture,
} from '../fixtures.ts';
import { taintMask } from '../../../core/kernel/taints.ts';
import { mustEnd } from '../../../../../testing/patience.ts';

const candidate = (name: string, given: ModuleFixture = {}): Candidate => ({
  module: moduleFixture({ name, ...given }),
  signature: signatureFixture(),
});
/** `needs` and `gives` are names of plain symbols. */
const link = (
  name: string,
  needs: readonly string[],
  gives: readonly string[],
  given: ModuleFixture = {},
) =>
  candidate(name, {
    symbols: needs.map((each) => importFixture(each)),
    exports: gives.map((each) => exportFixture(each)),
    ...given,
  });
const proprietary: ModuleFixture = { tags: { license: 'BSD' } };
const kernel = kernelFixture();

function resultsOf(candidates: readonly Candidate[], on = kernel) {
  return Object.fromEntries(
    [...judgeTree(candidates, on)].map(([file, { errno, taints, kernelTaint }]) => [
      file.replace('.ko', ''),
      `${errno ?? 'load'} ${taints} ${kernelTaint}`,
    ]),
  );
}

describe('judgeTree()', () => {
  test('loads the modules that a module needs first, for any order of files', () => {
    const chain = [
      link('c', ['b1'], []),
      link('b', ['a1', 'printk'], ['b1']),
      link('a', [], ['a1']),
    ];
    assert.deepEqual(resultsOf(chain), { a: 'load  0', b: 'load  0', c: 'load  0' });
    assert.deepEqual([...judgeTree(chain, kernel).keys()], ['c.ko', 'b.ko', 'a.ko']);
  });

  test('inherits P along exports, and the kernel taint along the chain', () => {
    assert.deepEqual(
      resultsOf([
        link('top', ['middle'], []),
        link('middle', ['bottom'], ['middle']),
        link('bottom', [], ['bottom'], proprietary),
        link('aside', ['printk'], []),
      ]),
      { top: 'load P 1', middle: 'load P 1', bottom: 'load P 1', aside: 'load  0' },
    );
  });

  test('reports the kernel taint that a keyring may prevent', () => {
    const by = (outcome: 'none' | 'unknown key', ...given: Parameters<typeof link>): Candidate => ({
      ...link(...given),
      signature: signatureFixture(outcome),
    });
    const open = judgeTree(
      [
        by('unknown key', 'stranger', [], ['a'], { tags: { intree: undefined } }),
        by('unknown key', 'after', ['a'], []),
        by('none', 'unsigned', ['a'], ['b']),
        by('unknown key', 'last', ['b'], []),
      ],
      kernel,
    );
    const words = [...open].map(([file, { taints, openTaints, openKernelTaint }]) => [
      file,
      taints,
      openTaints,
      openKernelTaint === taintMask('E'),
    ]);
    assert.deepEqual(words, [
      ['stranger.ko', 'OE', 'E', true],
      ['after.ko', 'E', 'E', true],
      ['unsigned.ko', 'E', '', false],
      ['last.ko', 'E', 'E', false],
    ]);
  });

  test('treats a refused module as absent, and names it', () => {
    const tree = [
      link('user', ['x'], []),
      link('provider', ['no_such'], ['x'], proprietary),
      candidate('weak', { symbols: [importFixture('x', { weak: true })] }),
    ];
    assert.deepEqual(resultsOf(tree), {
      user: 'ENOENT  1',
      provider: 'ENOENT P 1',
      weak: 'load  1',
    });
    const message = judgeTree(tree, kernel)
      .get('user.ko')
      ?.reasons.map((each) => each.reason);
    assert.deepEqual(message, [
      'Nothing exports the symbols it needs: "x"',
      '"provider.ko", which exports "x", is refused itself (ENOENT)',
    ]);
  });

  test('refuses modules that need each other or themselves', () => {
    assert.deepEqual(
      resultsOf([link('a', ['b'], ['a']), link('b', ['a'], ['b']), link('self', ['s'], ['s'])]),
      { a: 'ENOENT  0', b: 'ENOENT  0', self: 'ENOENT  0' },
    );
  });

  test('uses another module with the same export when the first is refused', () => {
    assert.deepEqual(
      resultsOf([
        link('user', ['x'], []),
        link('broken', ['no_such'], ['x']),
        link('twin', [], ['x']),
      ]),
      { user: 'load  0', broken: 'ENOENT  0', twin: 'load  0' },
    );
  });

  test('does not treat other modules of the tree as loaded', () => {
    const same = [link('one', [], ['x']), link('two', [], ['x'])];
    assert.deepEqual(resultsOf(same), { one: 'load  0', two: 'load  0' });
    const twins = [
      candidate('n', { file: 'updates/n.ko' }),
      candidate('n', { file: 'kernel/n.ko' }),
    ];
    assert.deepEqual(resultsOf(twins), { 'updates/n': 'load  0', 'kernel/n': 'load  0' });
  });

  test('refuses a name or an export that its chain has already loaded', () => {
    const tree = [
      link('lower', [], ['x', 'y']),
      link('duplicate', ['y'], ['x']),
      candidate('lower', { file: 'again.ko', symbols: [importFixture('z')] }),
      link('upper', ['y'], ['z']),
    ];
    const verdicts = judgeTree(tree, kernel);
    assert.deepEqual(verdicts.get('duplicate.ko')?.messages, [
      'duplicate: exports duplicate symbol x (owned by lower)',
    ]);
    assert.equal(verdicts.get('again.ko')?.errno, 'EEXIST');
  });

  test('logs a message that the kernel logs once only once in a chain', () => {
    const unsigned = (each: Candidate): Candidate => ({
      ...each,
      signature: signatureFixture('none'),
    });
    const verdicts = judgeTree(
      [
        unsigned(link('low', [], ['x'])),
        unsigned(link('high', ['x'], [])),
        unsigned(link('aside', [], [])),
      ],
      kernel,
    );
    const lines = [...verdicts.values()].map((each) => each.messages.length);
    assert.deepEqual(lines, [1, 0, 1]);
  });

  test('judges a file that is not a module, and a chain of 12,000 modules', () => {
    const length = 12_000;
    const chain = Array.from({ length }, (_, index) =>
      link(`m${index}`, index === length - 1 ? [] : [`s${index + 1}`], [`s${index}`]),
    );
    const text: Candidate = {
      file: 'text.ko',
      problem: { message: 'is not an ELF file', offset: 0 },
    };
    const verdicts = judgeTree([...chain, text], kernel);
    assert.equal(verdicts.get('m0.ko')?.result, 'load');
    assert.equal(verdicts.get('text.ko')?.errno, 'ENOEXEC');
  });

  test('stays fast when many modules export the same symbol', () => {
    const many = Array.from({ length: 3_000 }, (_, index) => link(`m${index}`, ['x', 'no'], ['x']));
    assert.equal(mustEnd(() => judgeTree(many, kernel)).size, 3_000);
  });

  test('judges a tree as large as a distribution kernel', () => {
    const gives = (index: number) => Array.from({ length: 4 }, (_, each) => `s${index}_${each}`);
    const tree = Array.from({ length: 4_000 }, (_, index) =>
      link(
        `m${index}`,
        Array.from(
          { length: 45 },
          (__, each) => `s${(index * 7 + each) % (index + 1)}_${each % 4}`,
        ).filter((name) => !name.startsWith(`s${index}_`)),
        gives(index),
      ),
    );
    const verdicts = mustEnd(() => judgeTree(tree, kernel));
    assert.ok([...verdicts.values()].every((each) => each.result === 'load'));
  });
});

describe('exportIndex()', () => {
  test('lists the first module that exports a symbol, then the others', () => {
    const index = exportIndex([link('a', [], ['x']), link('b', [], ['y', 'x'])]);
    assert.equal(index.get('x')?.candidate, 0);
    assert.equal(index.get('x')?.also?.candidate, 1);
    assert.equal(index.get('y')?.also, undefined);
  });
});

describe('compare()', () => {
  test('compare() lists modules that no longer load, and what changed for them', () => {
    const modules = [
      link('needs_gone', ['a'], []),
      link('needs_gpl', ['b'], [], proprietary),
      link('needs_crc', ['c'], []),
      link('needs_ns', ['d'], []),
      link('steady', ['printk'], []),
      link('starts', ['e'], []),
    ];
    const plain = (name: string) => exportFixture(name);
    const before = kernelFixture({ exports: ['printk', 'a', 'b', 'c', 'd'].map(plain) });
    const after = kernelFixture({
      exports: [
        plain('printk'),
        gplExport('b'),
        exportFixture('c', { crc: 7 }),
        exportFixture('d', { namespace: 'N' }),
        plain('e'),
      ],
    });
    const { noLongerLoad, nowLoad, notCompared } = compare(
      judgeTree(modules, before),
      judgeTree([...modules, link('new', [], [])], after),
    );
    assert.deepEqual(
      noLongerLoad.map(({ file, errnoName, reasons }) => [
        file,
        errnoName,
        ...reasons.map((each) => `${each.cause}: ${each.message}`),
      ]),
      [
        [
          'needs_gone.ko',
          'ENOENT',
          'symbol gone: Symbols are gone. Nothing exports the symbols it needs: "a"',
        ],
        [
          'needs_gpl.ko',
          'ENOENT',
          'GPL-only: Symbols became GPL-only. It is proprietary (P), and these are exported to GPL-compatible modules only: "b"',
        ],
        [
          'needs_crc.ko',
          'EINVAL',
          'CRC: Versions (CRC) of symbols changed. It was built for another version (CRC) of symbols it needs: "c" (0x00000007 here, 0x0badcafe in the module)',
        ],
        [
          'needs_ns.ko',
          'EINVAL',
          'namespace: Symbols moved into a namespace. It uses symbols of a namespace that is not open to it: "d" of "N"',
        ],
      ],
    );
    assert.deepEqual(nowLoad, ['starts.ko']);
    assert.deepEqual(notCompared, ['new.ko']);
  });

  test('compare() reports a changed vermagic', () => {
    const modules = [link('m', [], [])];
    const other = kernelFixture({
      vermagic: '6.12.118+deb13-amd64 SMP preempt_rt mod_unload modversions ',
    });
    const { noLongerLoad } = compare(judgeTree(modules, kernel), judgeTree(modules, other));
    assert.equal(noLongerLoad[0]?.reasons[0]?.cause, 'vermagic');
  });
});
