import assert from 'node:assert/strict';
import { test } from 'node:test';
import { count, listSome } from '../list.ts';

test('count() uses the plural unless the number is 1', () => {
  const texts = [0, 1, 2].map((number) => count(number, 'tenant'));
  assert.deepEqual(texts, ['0 tenants', '1 tenant', '2 tenants']);
  assert.equal(count(2, 'process', 'processes'), '2 processes');
  assert.equal(count(1, 'process', 'processes'), '1 process');
});

test('listSome() lists names up to a limit, and counts the rest', () => {
  assert.equal(listSome([]), '');
  assert.equal(listSome(['a', 'b'], 2), 'a, b');
  assert.equal(listSome(['a', 'b', 'c'], 2), 'a, b and 1 more');
});
