import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { continued, type Tenancy } from '../../src/usage/tenancy.ts';

describe('continued()', () => {
  const known: Tenancy = { name: 'ann', home: '12.500', since: 1_000 };

  test('keeps the tenancy while name and home directory are the same', () => {
    assert.equal(continued(known, { name: 'ann', home: '12.500' }, 2_000), known);
  });

  test('starts a new tenancy for another name, another home directory, or a new account', () => {
    for (const [before, now] of [
      [known, { name: 'ben', home: '12.500' }],
      [known, { name: 'ann', home: '12.900' }],
      [undefined, { name: 'ann', home: '12.500' }],
    ] as const) {
      assert.deepEqual(continued(before, now, 2_000), { ...now, since: 2_000 });
    }
  });

  test('keeps the known home directory when it cannot be read now', () => {
    assert.equal(continued(known, { name: 'ann', home: undefined }, 2_000), known);
  });

  test('adds the home directory when it becomes known', () => {
    const before: Tenancy = { ...known, home: undefined };
    assert.deepEqual(continued(before, { name: 'ann', home: '12.500' }, 2_000), known);
  });
});
