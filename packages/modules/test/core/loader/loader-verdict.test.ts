/** The loader's state, what is unknown, and rules that differ between releases, over plain modules. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loaderVerdict, newState, predict, unload } from '../../../core/loader/loader-verdict.ts';
import { taintMask } from '../../../core/kernel/taints.ts';
import {
  crcFixture,
  exportFixture,
  gplExport,
  importFixture,
  kernelFixture,
  layoutCrcFixture,
  moduleFixture,
  signatureFixture,
  type KernelFixture,
  type ModuleFixture,
} from '../fixtures.ts';
import { lockLine, verdictOf } from './loader-rows.ts';

describe('loaderVerdict() updates the loader state', () => {
  test('refuses the name of a loaded module until that is unloaded', () => {
    const state = newState();
    const first = {
      module: moduleFixture({ exports: [exportFixture('mine')] }),
      signature: signatureFixture(),
    };
    const kernel = kernelFixture();
    assert.deepEqual(
      predict([first, first], kernel, state).map((each) => each.errno),
      [undefined, 'EEXIST'],
    );
    assert.equal(unload(state, 'good'), true);
    assert.equal(unload(state, 'good'), false);
    assert.equal(loaderVerdict(first, kernel, state).result, 'load');
  });

  test('resolves exports of other modules only while they are loaded', () => {
    const state = newState();
    const kernel = kernelFixture();
    const provider = {
      module: moduleFixture({ name: 'a', exports: [exportFixture('mine')] }),
      signature: signatureFixture(),
    };
    const user = {
      module: moduleFixture({ name: 'b', symbols: [importFixture('mine')] }),
      signature: signatureFixture(),
    };
    const twin = {
      module: moduleFixture({ name: 'c', exports: [exportFixture('mine')] }),
      signature: signatureFixture(),
    };
    const errnos = predict([user, provider, user, twin], kernel, state).map((each) => each.errno);
    assert.deepEqual(errnos, ['ENOENT', undefined, undefined, 'ENOEXEC']);
    unload(state, 'b');
    unload(state, 'a');
    assert.deepEqual(
      predict([user, twin, user], kernel, state).map((each) => each.errno),
      ['ENOENT', undefined, undefined],
    );
  });

  test('does not taint for a module that is already loaded', () => {
    const state = newState();
    verdictOf({ state });
    const verdict = verdictOf({ state, module: { tags: { license: 'BSD' } } });
    assert.equal(verdict.errno, 'EEXIST');
    assert.equal(verdict.kernelTaint, 0);
  });

  test('refuses an export that a loaded module already has', () => {
    const state = newState();
    verdictOf({ state, module: { name: 'a', exports: [exportFixture('x')] } });
    const verdict = verdictOf({ state, module: { name: 'b', exports: [gplExport('x')] } });
    assert.deepEqual(verdict.messages, ['b: exports duplicate symbol x (owned by a)']);
    assert.equal(state.loaded.has('b'), false);
  });
});

describe('loaderVerdict() lists unknowns', () => {
  test('names what is missing, and judges the rest', () => {
    const verdict = verdictOf({
      kernel: { exports: [], vermagic: undefined, structBytes: undefined },
      module: {
        tags: { license: 'BSD', vermagic: 'x' },
        symbols: [importFixture('printk')],
        exports: [exportFixture('mine')],
      },
    });
    assert.equal(verdict.result, 'load');
    assert.equal(verdict.taints, 'P');
    assert.deepEqual(verdict.unknown, [
      'The size of struct module in kernel "6.12.118+deb13-amd64" is unknown, so it was not compared',
      'The version (CRC) of "module_layout" in kernel "6.12.118+deb13-amd64" is unknown, so it was not compared',
      'The vermagic of kernel "6.12.118+deb13-amd64" is unknown',
      'The exports of kernel "6.12.118+deb13-amd64" are unknown, so 1 symbols that it needs were not looked up',
      'The exports of kernel "6.12.118+deb13-amd64" are unknown, so the module\'s own exports were not compared',
    ]);
  });

  test('lists no unknowns for an honest module', () => {
    assert.deepEqual(verdictOf({ module: { symbols: [importFixture('printk')] } }).unknown, []);
  });

  test('reports that the host may trust a key that is not in the image', () => {
    assert.match(verdictOf({ signature: 'unknown key' }).unknown[0] ?? '', /keyring/);
  });
});

describe('loaderVerdict() follows the release', () => {
  const old: KernelFixture = { release: '6.1.0-40-amd64' };

  test('until 6.3, taints also for a module that is already loaded', () => {
    const state = newState();
    verdictOf({ state, kernel: old });
    const verdict = verdictOf({
      state,
      kernel: old,
      signature: 'none',
      module: { tags: { license: 'BSD', intree: undefined } },
    });
    assert.equal(verdict.errno, 'EEXIST');
    assert.equal(verdict.taints, 'PO');
    assert.equal(verdict.kernelTaint, taintMask('P') + taintMask('O'));
  });

  test('until 6.3, logs "module license taints kernel" only for special names', () => {
    const license = verdictOf({ kernel: old, module: { tags: { license: 'BSD' } } });
    assert.deepEqual(license.messages, ["good: module license 'BSD' taints kernel.", lockLine]);
    const special = verdictOf({ kernel: old, module: { name: 'lve' } });
    assert.deepEqual(special.messages, [lockLine, 'lve: module license taints kernel.']);
  });

  test('until 6.3, does not compare the size of struct module', () => {
    assert.equal(verdictOf({ kernel: old, module: { structBytes: 900 } }).result, 'load');
    const none = verdictOf({ kernel: old, module: { structLoaded: false } });
    assert.deepEqual(none.messages, ['good: No module found in object']);
  });

  test('counts a defect only for the releases that check it', () => {
    const defects = [
      {
        step: 'symbol table',
        errno: 'ENOEXEC',
        message: 'no NUL',
        why: 'none',
        from: [6, 13],
        before: [7, 0],
      },
    ] as const;
    const errno = (release: string) =>
      verdictOf({ kernel: { release }, module: { defects } }).errno;
    assert.equal(errno('6.12.118'), undefined);
    assert.equal(errno('6.13.0'), 'ENOEXEC');
    assert.equal(errno('6.19.0'), 'ENOEXEC');
    assert.equal(errno('7.0.0'), undefined);
  });

  test('from 6.14, uses extended versions when present, and no others', () => {
    const module: ModuleFixture = {
      hasVersions: false,
      extendedVersions: { layoutCrc: layoutCrcFixture },
      symbols: [importFixture('s', { crc: undefined, extendedCrc: crcFixture })],
    };
    const verdict = (release: string, changes: ModuleFixture = {}) =>
      verdictOf({
        kernel: { release, exports: [exportFixture('s')] },
        module: { ...module, ...changes },
      });
    assert.equal(verdict('6.13.0').taints, 'F');
    assert.equal(verdict('6.14.0').taints, '');
    const wrong = { symbols: [importFixture('s', { extendedCrc: 1 })] };
    assert.equal(verdict('6.14.0', wrong).errno, 'EINVAL');
    const absent = verdict('6.14.0', { symbols: [importFixture('s', { crc: 1 })] });
    assert.deepEqual(absent.messages, ['good: no extended symbol version for s']);
    assert.equal(absent.result, 'load');
  });

  test('from 7.2, requires flags for exports', () => {
    const module: ModuleFixture = {
      exports: [exportFixture('mine')],
      exportTables: { symbols: true, flags: false, gplSymbols: true, gplCrcs: true },
    };
    assert.equal(verdictOf({ kernel: { release: '7.1.0' }, module }).result, 'load');
    assert.deepEqual(verdictOf({ kernel: { release: '7.2.0' }, module }).messages, [
      'good: ignoring obsolete section __ksymtab_gpl',
      'good: ignoring obsolete section __kcrctab_gpl',
      'good: no flags for exported symbols',
    ]);
  });

  test('refuses names of built-in code, and an empty name', () => {
    const builtins = { present: new Set(['printk']), possible: new Set(['ext4']) };
    const named = (name: string) => verdictOf({ kernel: { builtins }, module: { name } });
    assert.deepEqual(named('printk').messages, ['printk: module is already loaded']);
    assert.equal(named('printk').errno, 'EINVAL');
    assert.match(named('ext4').unknown.join(), /"ext4" in the kernel is in \/sys\/module/);
    assert.equal(named('other').result, 'load');
    assert.deepEqual([named('').errno, named('').kernelTaint], ['EINVAL', 512]);
  });

  test('refuses too much per-CPU data, and lists as unknown what may not fit', () => {
    const verdict = (percpuBytes: number) => verdictOf({ module: { percpuBytes } });
    assert.deepEqual(verdict(8192).unknown, []);
    assert.match(verdict(8193).unknown.join(), /8193 bytes of per-CPU data/);
    assert.deepEqual([verdict(32_769).errno, verdict(32_769).kernelTaint], ['ENOMEM', 512]);
  });

  test('until 5.18, logs inheritance without the symbol, and until 5.8 not at all', () => {
    const lines = (release: string) => {
      const state = newState();
      const module = { name: 'prop', tags: { license: 'BSD' }, exports: [exportFixture('p')] };
      verdictOf({ state, kernel: { release }, module });
      return verdictOf({ state, kernel: { release }, module: { symbols: [importFixture('p')] } });
    };
    assert.deepEqual(lines('5.10.0').messages, [
      'good: module uses symbols from proprietary module prop, inheriting taint.',
    ]);
    assert.deepEqual(lines('5.8.18').messages, []);
    assert.equal(lines('5.8.18').taints, '');
  });

  test('from 6.16, opens a module: namespace only to the modules that it names', () => {
    const exports = [exportFixture('s', { namespace: 'module:kvm,snd-*' })];
    const verdict = (release: string, name: string, tags: ModuleFixture['tags'] = {}) =>
      verdictOf({
        kernel: { release, exports },
        module: { name, tags, symbols: [importFixture('s')] },
      });
    assert.equal(verdict('6.16.1', 'kvm').result, 'load');
    assert.equal(verdict('6.16.1', 'snd_hda').result, 'load');
    assert.equal(verdict('6.16.1', 'kvm_intel').errno, 'EINVAL');
    assert.equal(verdict('6.12.118', 'kvm').errno, 'EINVAL');
    const imports = { import_ns: 'module:kvm,snd-*' };
    assert.equal(verdict('6.12.118', 'other', imports).result, 'load');
    const forbidden = verdict('6.16.1', 'other', imports);
    assert.equal(forbidden.errno, 'EPERM');
    assert.deepEqual(forbidden.messages, [
      'other: module tries to import module namespace: module:kvm,snd-*',
    ]);
  });
});
