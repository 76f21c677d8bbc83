/** Few of many accounts are looked at often, and the sums stay what the server counted. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { Look } from '../../src/database/core/look.ts';
import { NearAccounts, nearPauseMilliseconds } from '../../src/database/core/pace/near-accounts.ts';
import { SeenServer } from '../../src/database/io/seen-server.ts';
import type { WatchedServer } from '../../src/database/io/worker/watched-server.ts';

const many = Array.from({ length: 1000 }, (_, each) => `t${each % 10}_${each}`);
const tenantOf = (account: string) => Number(/^t(\d)_/.exec(account)?.[1]);

suite('NearAccounts', () => {
  test('has the accounts of tenants near their share for a second', () => {
    const near = new NearAccounts(many, new Set([3]), tenantOf, 5_000);
    const expected = many.filter((each) => each.startsWith('t3_'));
    assert.equal(expected.length, 100);
    for (const at of [5_000, 5_999]) assert.deepEqual(near.accounts(at), expected);
    assert.equal(near.accounts(6_000), undefined);
    assert.deepEqual([near.has(3), near.has(4)], [true, false]);
  });

  test('has all accounts if they are few, if nobody is near, and if most are near', () => {
    const accountsOf = (accounts: readonly string[], uids: readonly number[]) =>
      new NearAccounts(accounts, new Set(uids), tenantOf, 0).accounts(0);
    assert.equal(accountsOf(many.slice(0, 500), [3]), undefined);
    assert.equal(accountsOf(many, []), undefined);
    assert.equal(accountsOf(many, [1, 2, 3, 4, 5, 6]), undefined);
    assert.equal(accountsOf(many, [11]), undefined, 'it has no account');
  });

  test('has all accounts if the names of those near are too long for one statement', () => {
    const long = Array.from({ length: 10_000 }, (_, each) =>
      `t${each % 10}_${each}_`.padEnd(128, '√'),
    );
    const near = (uids: readonly number[]) =>
      new NearAccounts(long, new Set(uids), tenantOf, 0).accounts(0);
    assert.equal(near([1, 2, 3, 4, 5]), undefined);
    assert.equal(near([1]), undefined);
    assert.equal(
      new NearAccounts(long.slice(0, 5_000), new Set([1]), tenantOf, 0).accounts(0)?.length,
      500,
    );
  });

  test('looks at many accounts come less often', () => {
    const pauses = [0, 500, 1_250, 5_000, 1e6].map(nearPauseMilliseconds);
    assert.deepEqual(pauses, [100, 100, 100, 400, 1_000]);
  });
});

test('the sum of all looks is what the server counted, whichever accounts were looked at', async () => {
  const names = ['a', 'b', 'c', 'd'];
  const step = fc.record({
    only: fc.option(fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 }), {
      nil: undefined,
    }),
    spent: fc.array(fc.integer({ min: 0, max: 1e6 }), { minLength: 4, maxLength: 4 }),
    running: fc.array(fc.integer({ min: 0, max: 1e6 }), { minLength: 4, maxLength: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const counters = names.map(() => 0);
      let running = names.map(() => 0);
      let at = 0;
      const server = {
        look: (only?: readonly string[]) =>
          Promise.resolve<Look>({
            atMicroseconds: (at += 100_000),
            accounts: names.flatMap((account, index) =>
              only === undefined || only.includes(account)
                ? [{ account, cpuMicroseconds: counters[index]!, connections: 0, statements: 0 }]
                : [],
            ),
            sessions: names.map((account, id) => ({
              id,
              account,
              isLocal: true,
              isRunning: true,
              statementMilliseconds: 1,
              transactionMilliseconds: undefined,
              threadCpuMicroseconds: undefined,
              runningCpuMicroseconds: running[id]!,
              statement: '',
            })),
            serverCpuMicroseconds: undefined,
            backgroundCpuMicroseconds: undefined,
          }),
      } as Partial<WatchedServer> as WatchedServer;
      const seen = new SeenServer(server);
      const sums = new Map<string, number>();
      const look = async (only?: readonly string[]) => {
        const use = await seen.look(only);
        for (const [account, used] of use?.used ?? []) {
          assert.ok(use?.isAll === true || only?.includes(account) === true);
          sums.set(account, (sums.get(account) ?? 0) + used);
        }
      };
      await look();
      for (const { only, spent, running: now } of steps) {
        spent.forEach((each, index) => (counters[index]! += each));
        running = now;
        await look(only);
      }
      running = names.map(() => 0);
      await look();
      names.forEach((account, index) =>
        assert.equal(Math.round(sums.get(account) ?? 0), counters[index]),
      );
    }),
  );
});
