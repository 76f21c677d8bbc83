import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { SymbolToResolve } from '../../src/modules/module.ts';
import { packModule, unpackModule } from '../../src/trust/packed-module.ts';
import type { ReadModule } from '../../src/trust/scan-protocol.ts';
import { sampleRead } from './sample-read.ts';

const sample = sampleRead();

/** As the reader of JSON sees it: what is undefined is not there. */
const plain = (read: ReadModule): unknown => JSON.parse(JSON.stringify(read));

const name = fc.oneof(fc.string(), fc.constantFrom('memcpy', '__fentry__', 'two words', '\n', ''));
const symbol: fc.Arbitrary<SymbolToResolve> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('import' as const),
      name,
      weak: fc.boolean(),
      crc: fc.option(fc.nat(), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('common' as const), name }) },
);

describe('packModule()', () => {
  test('unpackModule() gives back what was packed, whatever the names', () => {
    const entries = fc.array(fc.record({ tag: fc.string(), value: fc.string() }));
    fc.assert(
      fc.property(fc.array(symbol), entries, (symbols, modinfo) => {
        const read = { ...sample, module: { ...sample.module, symbols, modinfo } };
        assert.deepEqual(plain(unpackModule(packModule(read))), plain(read));
      }),
    );
  });

  test('a module that imports nothing has no symbols afterwards', () => {
    const read = { ...sample, module: { ...sample.module, symbols: [] } };
    assert.deepEqual(unpackModule(packModule(read)).module.symbols, []);
  });
});
