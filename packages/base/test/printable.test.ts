import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { printable } from '../printable.ts';

test('printable() escapes control characters, bidirectional marks and invisible characters', () => {
  assert.equal(printable('a\u001b[31m\u009b1\u202eb\n'), 'a\\u{1b}[31m\\u{9b}1\\u{202e}b\\u{a}');
  assert.equal(
    printable('\u202eevil\u2066\u200d\u00ad'),
    String.raw`\u{202e}evil\u{2066}\u{200d}\u{ad}`,
  );
  assert.equal(printable('\ud800x'), String.raw`\u{d800}x`);
});

test('printable() keeps letters and emoji, and at most two combining marks on a letter', () => {
  assert.equal(printable('Grüße, 世界 👋'), 'Grüße, 世界 👋');
  assert.equal(printable(`e${'\u0301'.repeat(50)}`), 'e\u0301\u0301');
});

test('printable() leaves no control, format or unassigned character in any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(printable(text), /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/u);
    }),
  );
});
