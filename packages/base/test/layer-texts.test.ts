/** The texts of layers: for people, and in parts for programs. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { because, improvedBy, joined } from '../layer-texts.ts';

test('because() has the text and its code, with the values in it', () => {
  assert.deepEqual(because('no policy'), {
    reason: 'there is no policy',
    reasons: [{ code: 'no policy' }],
  });
  assert.deepEqual(because('some tenants', 1, 2), {
    reason: '1 of 2 tenants',
    reasons: [{ code: 'some tenants', values: [1, 2] }],
  });
});

test('because() gives programs all names, also those that the text leaves out', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const { reason, reasons } = because('settings lacking', ...names);
  assert.equal(reason, 'lacking: a, b, c, d, e and 2 more');
  assert.deepEqual(reasons, [{ code: 'settings lacking', values: names }]);
});

test('joined() keeps a half that has no code as English text', () => {
  assert.deepEqual(joined(because('polls'), 'no rights', ': '), {
    reason: 'it polls: no rights',
    reasons: [{ code: 'polls' }, { code: 'english', values: ['no rights'] }],
  });
  assert.equal(
    joined(because('all tenants', 1), because('not fully applied')).reason,
    '1 tenant; the policy is not fully applied',
  );
});

test('improvedBy() has the text and its code', () => {
  assert.deepEqual(improvedBy('in the policy', '<placement strict="yes"/>'), {
    improve: '<placement strict="yes"/> in the policy',
    improves: [{ code: 'in the policy', values: ['<placement strict="yes"/>'] }],
  });
});
