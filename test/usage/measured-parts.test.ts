/** How long the history of an account is that began within a period. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MeasuredParts } from '../../src/usage/measured-parts.ts';

const hour = 3_600_000;

test('since() begins with the first part that was measured, or with the account', () => {
  const parts = new MeasuredParts({ from: 0, to: 4 * hour }, [0, 3_600, 0, 1_800]);
  assert.deepEqual(parts.since(0), { since: hour, seconds: 5_400 });
  assert.deepEqual(parts.since(1.5 * hour), { since: 1.5 * hour, seconds: 3_600 });
  assert.deepEqual(parts.since(2 * hour), { since: 3 * hour, seconds: 1_800 });
  assert.equal(parts.since(4 * hour), undefined);
  assert.equal(parts.since(Infinity), undefined);
  assert.equal(new MeasuredParts({ from: 0, to: hour }, []).since(0), undefined);
});
