/** Suggestions for unknown words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest, formatDiagnostic } from '../../src/policy/diagnostic.ts';
import { parsePolicy } from '../../src/policy/parse.ts';

test('nearest() finds the word for a prefix, a singular and a typing error', () => {
  const elements = ['cpu', 'memory', 'io', 'processes', 'entries', 'disk', 'network', 'tenant'];
  for (const [word, meant] of [
    ['entry', 'entries'],
    ['mem', 'memory'],
    ['process', 'processes'],
    ['proc', 'processes'],
    ['memroy', 'memory'],
    ['tenat', 'tenant'],
    ['xyzzy', undefined],
  ] as const)
    assert.equal(nearest(word, elements), meant, word);
});

test('parsePolicy() reports an unclosed element at its start tag', () => {
  const text =
    '<bulkhead version="1">\n  <defaults>\n    <cpu limit="5%">\n  </defaults>\n</bulkhead>\n';
  const { diagnostics } = parsePolicy('p.xml', text);
  assert.deepEqual(
    diagnostics.list.map((each) => formatDiagnostic(each)),
    ['p.xml:3:5: error: <cpu> is not closed: end it with "/>", or with </cpu>'],
  );
});
