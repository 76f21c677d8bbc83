import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { printable, printableJson } from '../../src/base/printable.ts';

test('printable() shows what steers a terminal or turns the direction of text', () => {
  assert.equal(printable('a\u001b[31m\u009b1\u202eb\n'), 'a\\u{1b}[31m\\u{9b}1\\u{202e}b\\u{a}');
  assert.equal(printable('Grüße, 世界 👋'), 'Grüße, 世界 👋');
});

test('printableJson() leaves the value as it was, and is harmless on a terminal', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const json = printableJson(JSON.stringify({ text }));
      assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify({ text })));
      assert.doesNotMatch(json, /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u);
    }),
  );
});
