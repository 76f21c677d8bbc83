/** The owner of a process, by its uids and by the creator of its user namespace. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ownership } from '../../src/host/accounts/ownership.ts';
import { fail, ok } from '../../packages/base/result.ts';

const ownership = new Ownership(new Set([1001, 1002]), [
  [100_000, 165_535, 1001],
  [165_536, 231_071, 1002],
]);

const ownerOf = (ruid: number, euid: number, maker?: number) =>
  ownership.tenantOf({ ruid, euid }, () => ok(maker));

test('tenantOf() uses the real uid, or the effective one when the real one is not a tenant or root', () => {
  assert.deepEqual(ownerOf(1001, 0), ok(1001));
  assert.deepEqual(ownerOf(1001, 1002), ok(1001));
  assert.deepEqual(ownerOf(33, 1002), ok(1002));
  assert.deepEqual(ownerOf(33, 33), ok(undefined));
});

test('tenantOf() returns undefined, without reading the user namespace, when the real uid is root', () => {
  const asked = () => assert.fail('it was asked');
  for (const euid of [0, 1001, 100_000]) {
    assert.deepEqual(ownership.tenantOf({ ruid: 0, euid }, asked), ok(undefined));
  }
});

test('tenantOf() returns the tenant when a uid is one of its subordinate uids, up to the last', () => {
  assert.deepEqual(ownerOf(100_000, 33), ok(1001));
  assert.deepEqual(ownerOf(165_535, 33), ok(1001));
  assert.deepEqual(ownerOf(33, 165_536), ok(1002));
  assert.deepEqual(ownerOf(231_072, 99_999), ok(undefined));
});

test('tenantOf() returns the owner of the user namespace when no uid is a tenant', () => {
  assert.deepEqual(ownerOf(65_534, 65_534, 1002), ok(1002));
  assert.deepEqual(ownerOf(65_534, 65_534, 100_007), ok(1001));
  assert.deepEqual(ownerOf(65_534, 65_534, 1000), ok(undefined));
  const unread = ownership.tenantOf({ ruid: 33, euid: 33 }, () => fail('EMFILE'));
  assert.deepEqual(unread, fail('EMFILE'));
});
