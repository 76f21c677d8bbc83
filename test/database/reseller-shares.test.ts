/** The tenants of a reseller are held to its share together. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResellerShares } from '../../src/database/core/reseller-shares.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { policyOf } from '../conformance/suite.ts';

const second = 1_000_000;
const policy = policyOf(`
  <reseller uid="2000"><database cpu="100%"/><tenant uid="2001"/><tenant uid="2002"/><tenant uid="2003"/></reseller>
  <reseller uid="3000"><tenant uid="3001"/></reseller>
  <tenant uid="4001"/>`);

/** Lets tenants use so many cores for some seconds, as far as they are not paused; returns what each used per second. */
function run(shares: ResellerShares, wanted: Readonly<Record<number, number>>, seconds: number) {
  const used = new Map<number, number>();
  let pausing: ReadonlySet<number> = new Set();
  const begun = performance.now();
  for (let at = 0; at <= seconds; at += 1) {
    const uses = policy.tenants.map((tenant) => {
      const cores = at === 0 || pausing.has(tenant.uid) ? 0 : (wanted[tenant.uid] ?? 0);
      used.set(tenant.uid, (used.get(tenant.uid) ?? 0) + cores);
      return { tenant, usedMicroseconds: cores * second };
    });
    pausing = shares.add(uses, begun + at * second);
  }
  return (uid: number) => (used.get(uid) ?? 0) / seconds;
}

test('those that use most pause until all are within the limit, and nobody else does', () => {
  const use = run(
    new ResellerShares(policy),
    { 2001: 2, 2002: 0.2, 2003: 0.1, 3001: 9, 4001: 9 },
    300,
  );
  assert.ok(Math.abs(use(2001) + use(2002) + use(2003) - 1) < 0.05, `${use(2001)}`);
  assert.ok(Math.abs(use(2002) - 0.2) < 1e-9 && Math.abs(use(2003) - 0.1) < 1e-9);
  assert.ok(Math.abs(use(3001) - 9) < 1e-9 && Math.abs(use(4001) - 9) < 1e-9);
});

test('as many pause as are needed', () => {
  const use = run(new ResellerShares(policy), { 2001: 1.5, 2002: 1.5, 2003: 1.5 }, 300);
  const sum = use(2001) + use(2002) + use(2003);
  assert.ok(Math.abs(sum - 1) < 0.05, String(sum));
  for (const uid of [2001, 2002, 2003]) assert.ok(use(uid) > 0.2, `${uid}: ${use(uid)}`);
});

test('nobody pauses within the limit, without one, and for clocks and counters that go back', () => {
  const none: Pick<Policy, 'resellers'> = { resellers: [] };
  const uses = (each: number | undefined) =>
    policy.tenants.map((tenant) => ({ tenant, usedMicroseconds: each }));
  assert.equal(new ResellerShares(none).add(uses(9 * second), 0).size, 0);
  const shares = new ResellerShares(policy);
  for (const [at, each] of [
    [5, 0],
    [3, -second],
    [4, undefined],
    [6, 0.33 * second],
    [1e9, 0.5 * second],
  ] as const)
    assert.equal(shares.add(uses(each), at * second).size, 0, String(at));
});
