/** D-Bus values and their signatures are written, read, and refused when they are hostile. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { readValues } from '../../../src/sys/dbus/read-values.ts';
import { writeValues } from '../../../src/sys/dbus/write-values.ts';
import { parseSignature } from '../../../src/sys/dbus/signature.ts';
import { variant, type Value } from '../../../src/sys/dbus/value.ts';
import { hex } from './hex.ts';

function written(signature: string, values: readonly Value[]): Buffer {
  const bytes = writeValues(signature, values);
  assert.ok(bytes.ok, bytes.ok ? '' : bytes.error.reason);
  return bytes.value;
}

test('parseSignature() accepts exactly what the specification allows', () => {
  for (const good of [
    '',
    's',
    'a{sv}',
    'a(sa(oi))',
    'aaau',
    'v',
    '(y(n(q)))',
    'a'.repeat(32) + 'y',
  ]) {
    assert.notEqual(parseSignature(good), undefined, good);
  }
  const bad = [
    'a',
    '(',
    ')',
    '()',
    '{sv}',
    'a{vs}',
    'a{s}',
    'a{sss}',
    'a{(s)s}',
    'h',
    'z',
    '(s',
    'a{sv',
  ];
  const deep = ['a'.repeat(33) + 'y', `${'('.repeat(33)}y${')'.repeat(33)}`, 'y'.repeat(256)];
  for (const each of [...bad, ...deep]) assert.equal(parseSignature(each), undefined, each);
});

test('writeValues() lays values out as in the specification', () => {
  assert.deepEqual(written('yu', [1, 2]), hex('01 000000 02000000'));
  assert.deepEqual(written('s', ['foo']), hex('03000000 666f6f 00'));
  assert.deepEqual(written('at', [[5n]]), hex('08000000 00000000 05000000 00000000'));
  assert.deepEqual(written('v', [variant('u', 7)]), hex('01 75 00 00 07000000'));
  assert.deepEqual(
    written('a(yy)', [
      [
        [1, 2],
        [3, 4],
      ],
    ]),
    hex('0a000000 00000000 0102 000000000000 0304'),
  );
});

test('writeValues() refuses numbers out of range and values of another type', () => {
  const bad: [string, Value][] = [
    ['y', 256],
    ['y', -1],
    ['n', 32768],
    ['q', 65536],
    ['i', 2 ** 31],
    ['u', -1],
    ['u', 1.5],
    ['u', '1'],
    ['x', 2n ** 63n],
    ['t', -1n],
    ['t', 1],
    ['b', 1],
    ['d', 1n],
    ['s', 1],
    ['o', 'a/b'],
    ['g', '{'],
    ['v', 's'],
    ['as', 's'],
    ['(ss)', ['s']],
  ];
  for (const [signature, value] of bad) assert.ok(!writeValues(signature, [value]).ok, signature);
  assert.ok(!writeValues('ss', ['a']).ok);
});

/** A type of any shape with a value of it. */
const typed: fc.Arbitrary<[string, Value]> = fc.letrec<{ any: [string, Value] }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(
      fc.integer({ min: 0, max: 255 }).map((n): [string, Value] => ['y', n]),
      fc.boolean().map((b): [string, Value] => ['b', b]),
      fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }).map((n): [string, Value] => ['n', n]),
      fc.integer().map((n): [string, Value] => ['i', n]),
      fc.nat().map((n): [string, Value] => ['u', n]),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((n): [string, Value] => ['x', n]),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((n): [string, Value] => ['t', n]),
      fc.double({ noNaN: true }).map((n): [string, Value] => ['d', n]),
      fc.string({ unit: 'grapheme' }).map((s): [string, Value] => ['s', s.replaceAll('\0', '')]),
      fc.constantFrom('/', '/a', '/a/b_9').map((s): [string, Value] => ['o', s]),
    ),
    tie('any').map(([signature, value]): [string, Value] => ['v', variant(signature, value)]),
    fc
      .tuple(tie('any'), fc.integer({ min: 0, max: 3 }))
      .map(([[signature, value], count]): [string, Value] => [
        `a${signature}`,
        signature === 'y' ? new Uint8Array(count) : Array.from({ length: count }, () => value),
      ]),
    fc
      .array(tie('any'), { minLength: 1, maxLength: 3 })
      .map((fields): [string, Value] => [
        `(${fields.map(([signature]) => signature).join('')})`,
        fields.map(([, value]) => value),
      ]),
  ),
})).any;

suite('readValues() of any type', () => {
  test('reads what writeValues() wrote', () => {
    fc.assert(
      fc.property(typed, ([signature, value]) => {
        fc.pre(parseSignature(signature) !== undefined);
        const read = readValues(signature, written(signature, [value]));
        assert.deepEqual(read, { ok: true, value: [value] });
      }),
      { numRuns: 2000 },
    );
  });

  test('never throws when bytes are cut off or altered', () => {
    fc.assert(
      fc.property(
        typed,
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        ([signature, value], at, byte) => {
          fc.pre(parseSignature(signature) !== undefined);
          const bytes = written(signature, [value]);
          if (bytes.length === 0) return;
          assert.ok(!readValues(signature, bytes.subarray(0, at % bytes.length)).ok);
          bytes[at % bytes.length] = byte;
          readValues(signature, bytes);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

test('readValues() refuses hostile bytes, with the reason', () => {
  const cases: [string, string, string][] = [
    ['s', 'ffffffff 00', 'a value ends after the message'],
    ['s', '01000000 61 61', 'a string ends elsewhere'],
    ['s', '01000000 00 00', 'a string ends elsewhere'],
    ['s', '01000000 ff 00', 'a string is not UTF-8'],
    ['o', '03000000 2f2f61 00', 'the path of an object is not one'],
    ['b', '02000000', 'a boolean is neither true nor false'],
    ['yu', '01 010000 02000000', 'bytes between two values are not zero'],
    ['at', 'ffffff7f 00000000', 'an array ends after the message'],
    ['au', '03000000 01000000', 'the last value of an array ends after it'],
    ['v', '02 7373 00 00000000 00 000000 00000000 00', 'a variant is not of one value'],
    ['v', '00 00', 'a variant is not of one value'],
    ['v', '01 68 00 00 00000000', 'its signature is not one'],
    ['u', '01000000 00', 'bytes are left over'],
  ];
  for (const [signature, bytes, reason] of cases) {
    assert.deepEqual(readValues(signature, hex(bytes)), { ok: false, error: { reason } }, bytes);
  }
});

test('readValues() refuses deeply nested variants before the stack overflows', () => {
  const bytes = Buffer.concat([
    ...Array.from({ length: 100_000 }, () => hex('017600')),
    hex('01790005'),
  ]);
  assert.deepEqual(readValues('v', bytes), {
    ok: false,
    error: { reason: 'variants are too deep in each other' },
  });
});

test('readValues() refuses a body of more than 1,048,576 values', () => {
  const bytes = Buffer.alloc(4 + 2 ** 23);
  bytes.writeUInt32LE(2 ** 23, 0);
  assert.deepEqual(readValues('an', bytes), {
    ok: false,
    error: { reason: 'it has more than 1048576 values' },
  });
});
