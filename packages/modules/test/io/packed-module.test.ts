import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { SymbolToResolve } from '../../core/record/module.ts';
import { packModule, SharedSymbols, unpackModule } from '../../io/scan/packed-module.ts';
import type { ParsedModule } from '../../io/scan/scan-protocol.ts';
import { sampleRead } from './sample-read.ts';

const sample = sampleRead();

/** Returns the module as a JSON reader sees it: undefined values are missing. */
const plain = (read: ParsedModule): unknown => JSON.parse(JSON.stringify(read));

const name = fc.oneof(fc.string(), fc.constantFrom('memcpy', '__fentry__', 'two words', '\n', ''));
const symbol: fc.Arbitrary<SymbolToResolve> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant('import' as const),
      name,
      weak: fc.boolean(),
      crc: fc.option(fc.nat(), { nil: undefined }),
      extendedCrc: fc.option(fc.nat(), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('common' as const), name }) },
);

function packed(reads: readonly ParsedModule[]) {
  const shared = new SharedSymbols();
  const texts = reads.map((each) => packModule(each, shared));
  const symbols = JSON.parse(JSON.stringify(shared.list)) as readonly SymbolToResolve[];
  return { texts, symbols };
}

describe('packModule()', () => {
  test('unpackModule() returns what packModule() packed, for any names', () => {
    const entries = fc.array(fc.record({ tag: fc.string(), value: fc.string() }));
    const reads = fc.array(
      fc.tuple(fc.array(symbol), entries).map(([symbols, modinfo]) => ({
        ...sample,
        module: { ...sample.module, symbols, modinfo },
      })),
    );
    fc.assert(
      fc.property(reads, (list) => {
        const { texts, symbols } = packed(list);
        assert.deepEqual(
          texts.map((each) => plain(unpackModule(each, symbols))),
          list.map(plain),
        );
      }),
    );
  });

  test('packModule() stores a symbol once when several modules import it', () => {
    const { texts, symbols } = packed([sample, sample]);
    assert.deepEqual(
      symbols.map((each) => each.name),
      ['memcpy', 'printk'],
    );
    const [one, other] = texts.map((each) => unpackModule(each, symbols).module.symbols);
    assert.equal(one?.[0], other?.[0]);
  });

  test('unpackModule() throws when a symbol is not in the list', () => {
    const { texts, symbols } = packed([sample]);
    assert.throws(() => unpackModule(texts[0] ?? '', symbols.slice(1)), /symbol 1 is not/);
  });
});
