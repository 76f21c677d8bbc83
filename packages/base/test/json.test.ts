import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonText } from '../json.ts';

test('jsonText() escapes control and format characters, and keeps the value', () => {
  assert.equal(jsonText('a\u001b\u202e\u{e0041}'), String.raw`"a\u001b\u202e\udb40\udc41"`);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const json = jsonText({ text }, 2);
      assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify({ text })));
      assert.doesNotMatch(json.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\u2028\u2029]/u);
    }),
  );
});

test('jsonText() breaks lines only between values, when it indents', () => {
  assert.equal(jsonText({ a: ['x\ny'] }, 2), '{\n  "a": [\n    "x\\ny"\n  ]\n}');
});
