/** Facts from a module's code. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { machines } from '../../core/elf/elf-format.ts';
import { bytesOf } from './elf-builder.ts';
import { alloc, execute, read } from './read-sample.ts';

describe('readModule() with deep', () => {
  test('counts plain returns, and finds a wrapper and dense data', () => {
    const code = new Uint8Array(64);
    code.set([0xe8, 0, 0, 0, 0, 0xc3]);
    code.set([0xe9, 0, 0, 0, 0], 16);
    const noise = Uint8Array.from({ length: 16_384 }, (_, index) => (index * 167) & 0xff);
    const module = read(
      {
        imports: ['synchronize_rcu', '__x86_return_thunk'],
        sections: [
          {
            name: '.text.own',
            flags: alloc | execute,
            data: code,
            relocations: [
              { offset: 1, type: 4, symbol: 'synchronize_rcu', addend: -4 },
              { offset: 17, type: 4, symbol: '__x86_return_thunk', addend: -4 },
            ],
          },
          { name: '.rodata', flags: alloc, data: noise },
          { name: '__ksymtab_strings', flags: alloc, data: bytesOf('my_sync\0') },
          {
            name: '__ksymtab',
            flags: alloc,
            data: new Uint8Array(12),
            relocations: [
              { offset: 0, type: 2, symbol: 'my_sync' },
              { offset: 4, type: 2, symbol: 'text' },
            ],
          },
        ],
        symbols: [
          { name: 'text', section: '__ksymtab_strings', binding: 0 },
          { name: 'my_sync', section: '.text.own', size: 6, type: 2 },
          { name: 'usual', section: '.text.own', value: 16, size: 5, type: 2 },
          { name: '__pfx_usual', section: '.text.own', value: 5, size: 1, type: 2 },
          { name: 'table', section: '.rodata', size: 16_384, type: 1 },
        ],
      },
      true,
    );
    assert.deepEqual(module.observations.deep, {
      functions: 2,
      padded: 0,
      plainReturns: 1,
      wrappers: [['my_sync', 'synchronize_rcu']],
      denseObjects: [{ name: 'table', bytes: 16_384, bits: 8 }],
    });
  });

  test('counts padded functions, without .cold parts', () => {
    const at = (name: string, value: number, size: number) =>
      ({ name, section: '.text.own', value, size, type: 2 }) as const;
    const { deep } = read(
      {
        sections: [{ name: '.text.own', flags: alloc | execute, data: new Uint8Array(64) }],
        symbols: [
          at('__pfx_one', 0, 16),
          at('one', 16, 4),
          at('alias', 16, 4),
          at('one.cold', 20, 4),
          at('one.cold.3', 24, 4),
          at('blob', 32, 4),
        ],
      },
      true,
    ).observations;
    assert.deepEqual([deep?.functions, deep?.padded], [3, 2]);
  });

  test('makes no deep observations on other machines', () => {
    assert.equal(read({ machine: machines.arm64 }, true).observations.deep, undefined);
  });
});
