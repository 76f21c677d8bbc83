/** The pace at which unknown tokens and codes may be tried. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnknownSecrets } from '../../src/console/io/unknown-secrets.ts';

/** Tries secrets, and returns how many were let through. */
function tried(secrets: UnknownSecrets, count: number, peer: string, isRoot = false): number {
  const each = Array.from({ length: count }, (_, index) => `${peer} ${index}`);
  return each.filter((secret) => secrets.admit(secret, peer, isRoot)).length;
}

test('UnknownSecrets.admit() has a pace for each peer, which comes back with time', () => {
  let now = 0;
  const secrets = new UnknownSecrets(() => now);
  assert.ok(tried(secrets, 1000, 'uid 1') <= 61);
  now += 1000;
  const later = tried(secrets, 1000, 'uid 1');
  assert.ok(later >= 9 && later <= 11, String(later));
  assert.ok(tried(secrets, 50, 'uid 2') === 50);
});

test('UnknownSecrets.admit() has a pace for all peers together, and root has its own', () => {
  const secrets = new UnknownSecrets(() => 0);
  let all = 0;
  for (let peer = 0; peer < 2000; peer++) all += tried(secrets, 5, `10.0.${peer}`);
  assert.ok(all <= 242, String(all));
  assert.equal(tried(secrets, 50, 'uid 0', true), 50);
});

test('UnknownSecrets.admit() lets accepted tokens pass, until one is refused', () => {
  const secrets = new UnknownSecrets(() => 0);
  secrets.answered('mine', 200);
  tried(secrets, 1000, 'uid 1');
  for (let count = 0; count < 500; count++) assert.ok(secrets.admit('mine', 'uid 1', false));
  secrets.answered('mine', 503);
  assert.ok(secrets.admit('mine', 'uid 1', false));
  secrets.answered('mine', 401);
  assert.ok(!secrets.admit('mine', 'uid 1', false));
});
