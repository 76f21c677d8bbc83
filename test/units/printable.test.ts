import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable, printableJson } from '../../src/units/printable.ts';

test('printable() shows what steers a terminal or turns the direction of text', () => {
  assert.equal(printable('a\u001b[31m\u009b1\u202eb\n'), 'a\\u{1b}[31m\\u{9b}1\\u{202e}b\\u{a}');
  assert.equal(printable('Grüße, 世界 👋'), 'Grüße, 世界 👋');
});

test('printableJson() leaves the value as it was', () => {
  const value = { name: 'a\u001b\u009b\u2028\u200f' };
  const text = printableJson(JSON.stringify(value));
  assert.match(text, /^[ -~]*$/);
  assert.deepEqual(JSON.parse(text), value);
});
