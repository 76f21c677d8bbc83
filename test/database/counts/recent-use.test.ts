/** The use of servers by a tenant in the last seconds, and the quota that follows from it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nextQuota } from '../../../src/database/core/lowered-quota.ts';
import { RecentUse } from '../../../src/database/core/recent-use.ts';

const second = 1e6;

test('the average is of 10 s, or of the time since it began', () => {
  const use = new RecentUse();
  assert.equal(use.average(0), 0);
  use.add(0.5 * second, second, second);
  assert.equal(use.average(second), 0.5);
  for (let each = 2; each <= 30; each++) use.add(0.5 * second, second, each * second);
  assert.equal(use.average(30 * second), 0.5);
  for (let each = 31; each <= 35; each++) use.add(second, second, each * second);
  assert.equal(use.average(35 * second), 0.75);
  assert.equal(use.average(37 * second) > 0, true);
  assert.equal(use.average(37.1 * second), 0);
  // It begins anew.
  use.add(0.1 * second, second, 50 * second);
  assert.equal(use.average(50 * second), 0.1);
});

test('ten looks in a second say what one says, and what was counted too much comes back', () => {
  const [often, once] = [new RecentUse(), new RecentUse()];
  for (let each = 1; each <= 100; each++) often.add(20_000, 100_000, each * 100_000);
  for (let each = 1; each <= 10; each++) once.add(200_000, second, each * second);
  assert.ok(Math.abs(often.average(10 * second) - once.average(10 * second)) < 0.02);
  once.add(-200_000, second, 10.1 * second);
  assert.ok(Math.abs(once.average(10 * second) - 0.18) < 0.001);
  const nothing = new RecentUse();
  nothing.add(-second, second, second);
  assert.equal(nothing.average(second), 0);
});

test('a quota is never above the limit, nor below a tenth, and falls by a quarter at most', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1_000, max: 10_000_000 }),
      fc.double({ min: 0.1, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 200, noNaN: true }),
      (full, part, used) => {
        const now = Math.max(Math.min(full, 1_000), Math.floor(full * part));
        const next = nextQuota(full, now, used);
        assert.ok(next <= full && next >= Math.min(full, 1_000), `${next}`);
        assert.ok(next >= Math.floor(full / 10), `${next} of ${full}`);
        assert.ok(now - next <= full / 4 + 1, `${now} to ${next}`);
        assert.equal(nextQuota(full, now, 0), full);
      },
    ),
  );
});

/** Returns what a tenant gets, in its limit, that alternates between servers and programs. */
function gainOf(busySeconds: number, idleSeconds: number): number {
  const full = 100_000;
  const use = new RecentUse();
  let [quota, got] = [full, 0];
  const rounds = 20;
  const length = busySeconds + idleSeconds;
  for (let each = 1; each <= rounds * length; each++) {
    const isBusy = each % length < busySeconds;
    // Programs always use what they may, and servers the whole limit.
    got += quota / full + (isBusy ? 1 : 0);
    if (isBusy) use.add(second, second, each * second);
    quota = nextQuota(full, quota, use.average(each * second));
  }
  return got / (rounds * length);
}

test('who alternates between servers and programs gains no more than the steps allow', () => {
  const gains = [1, 2, 4, 8, 10, 20, 60].flatMap((busy) =>
    [1, 2, 3, 5, 10].map((idle) => [busy, idle, gainOf(busy, idle)] as const),
  );
  // The tenth that is always left is most of it.
  const [busy, idle, most] = gains.reduce((a, b) => (b[2] > a[2] ? b : a));
  assert.ok(most < 1.12, `${most}: ${busy} s busy, ${idle} s idle`);
});
