/** Tenants are near their share while they use most of it, and while they are paused and go on soon. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { NearTenants, type NearUse } from '../../src/database/core/pace/near-tenants.ts';

const second = 1_000_000;
const use = (uid: number, rate: number, debtMicroseconds?: number): NearUse => ({
  uid,
  rate,
  limitFraction: 0.2,
  debtMicroseconds,
});

suite('NearTenants', () => {
  const after = (...uses: readonly NearUse[]) => {
    const near = new NearTenants();
    near.note(uses, 0);
    return [...near.uids];
  };

  test('has those that use more than 80 % of their limit', () => {
    assert.deepEqual(after(use(1, 0.16), use(2, 0.161), use(3, 0)), [2]);
  });

  test('has paused ones that have paid within 2 s, and none that pay for longer', () => {
    assert.deepEqual(after(use(1, 0, 0), use(2, 0, 400_000), use(3, 0, 400_001)), [1, 2]);
    assert.deepEqual(after(use(4, 1.5, 5 * second)), [4], 'one that works although it is paused');
  });

  test('keeps them for 2 s, also those that a look at a part of the accounts leaves out', () => {
    const near = new NearTenants();
    near.note([use(1, 1), use(2, 1)], 0);
    near.note([use(1, 0)], second);
    assert.deepEqual([...near.uids], [1, 2]);
    near.note([], 2 * second);
    assert.deepEqual([...near.uids], []);
  });
});
