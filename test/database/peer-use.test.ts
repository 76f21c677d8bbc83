/** A server's CPU time among tenants, where the kernel shows its clients. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { attributeEvents } from '../../src/database/core/use/attribution.ts';
import type { Look, Session } from '../../src/database/core/look.ts';
import { TenantShares } from '../../src/database/core/use/peer-use.ts';

const [alice, bob] = [1001, 1002];
const owners = new Map([
  ['alice_1', alice],
  ['bob_1', bob],
]);
const tenantOf = (account: string) => owners.get(account);

interface Use {
  readonly used?: Readonly<Record<string, number>>;
  readonly events?: Readonly<Record<string, number>>;
  /** The use by sockets since the use before, by uid; `others` too. */
  readonly alice?: number;
  readonly bob?: number;
  readonly others?: number;
  /** Looks only at these tenants. */
  readonly near?: readonly number[];
}

describe('TenantShares', () => {
  let shares: TenantShares;
  let sums: { alice: number; bob: number; others: number };

  const divide = (given: Use, name: string | undefined = 'programs') => {
    sums.alice += given.alice ?? 0;
    sums.bob += given.bob ?? 0;
    sums.others += given.others ?? 0;
    const peers = {
      tenants: new Map([
        [alice, sums.alice],
        [bob, sums.bob],
      ]),
      others: sums.others,
    };
    const use = {
      isAll: given.near === undefined,
      used: new Map(Object.entries(given.used ?? {})),
      events: new Map(Object.entries(given.events ?? {})),
      peers: name === undefined ? undefined : { ...peers, name },
    };
    const divided = shares.divide(use, tenantOf, (uid) => given.near?.includes(uid) === true);
    return Object.fromEntries([...divided].filter(([, each]) => each !== 0));
  };

  beforeEach(() => {
    shares = new TenantShares();
    sums = { alice: 70, bob: 0, others: 30 };
    // The sums so far are no use since a look.
    assert.deepEqual(divide({ used: { bob_1: 5 } }), { 1002: 5 });
    assert.equal(shares.isBySocket, false);
  });

  test('goes by accounts where the kernel shows no clients, or others', () => {
    const used = { alice_1: 10, bob_1: 20, root: 30 };
    const byAccount = { 1001: 10, 1002: 20 };
    assert.deepEqual(divide({ used, alice: 500 }, 'other programs'), byAccount);
    assert.equal(shares.isBySocket, false);
    const none = {
      isAll: true,
      used: new Map([['bob_1', 3]]),
      events: new Map(),
      peers: undefined,
    };
    assert.deepEqual([...shares.divide(none, tenantOf)], [[bob, 3]]);
    assert.deepEqual(divide({ used, alice: 500 }), byAccount);
    assert.deepEqual(divide({ alice: 500 }), { 1001: 500 });
    assert.equal(shares.isBySocket, true);
  });

  test("charges a tenant's client, and not the account that it uses", () => {
    assert.deepEqual(divide({ used: { bob_1: 100 }, alice: 110 }), { 1001: 110 });
  });

  test('charges the account for clients that are no tenants', () => {
    const given = { used: { alice_1: 40, bob_1: 100 }, alice: 45, others: 120 };
    assert.deepEqual(divide(given), { 1001: 45, 1002: 100 });
  });

  test('charges accounts in sum no more than clients of nobody have used', () => {
    const given = { used: { alice_1: 100, bob_1: 100 }, others: 50 };
    assert.deepEqual(divide(given), { 1001: 25, 1002: 25 });
  });

  test("charges no tenant for the host's own clients because another uses its account", () => {
    const given = { used: { bob_1: 1000, root: 50 }, alice: 1000, others: 50 };
    assert.deepEqual(divide(given), { 1001: 1000 });
  });

  test('charges events to their account', () => {
    const given = { used: { bob_1: 70 }, events: { bob_1: 70 }, alice: 5 };
    assert.deepEqual(divide(given), { 1001: 5, 1002: 70 });
  });

  test('takes no time twice that a counter has later', () => {
    assert.deepEqual(divide({ alice: 500, others: 500 }), { 1001: 500 });
    assert.deepEqual(divide({ used: { alice_1: 500 }, others: 500 }), {});
  });

  test('charges only tenants that a look was at, and the others with the next at all', () => {
    const near = [alice];
    const some = { used: { alice_1: 20 }, near };
    assert.deepEqual(divide({ ...some, alice: 10, bob: 7, others: 40 }), { 1001: 10 });
    assert.deepEqual(divide({ ...some, alice: 20, bob: 7 }), { 1001: 20 });
    // Her account is ahead by five, which others have used.
    assert.deepEqual(divide({ used: { bob_1: 14 }, alice: 5 }), { 1001: 10, 1002: 14 });
  });

  test('never charges more than the server has used', () => {
    const amount = fc.integer({ min: 0, max: 1_000_000 });
    const names = fc.constantFrom('alice_1', 'bob_1', 'root');
    const look = fc.record({
      used: fc.dictionary(names, amount),
      alice: amount,
      bob: amount,
      others: amount,
      near: fc.constantFrom(undefined, [alice], [alice, bob], []),
    });
    fc.assert(
      fc.property(fc.array(look, { maxLength: 20 }), (looks) => {
        shares = new TenantShares();
        sums = { alice: 0, bob: 0, others: 0 };
        divide({});
        let charged = 0;
        for (const { near, ...each } of looks)
          for (const share of Object.values(divide(near === undefined ? each : { ...each, near })))
            charged += share;
        for (const share of Object.values(divide({}))) charged += share;
        assert.ok(charged >= sums.alice + sums.bob - 1e-3, 'no less than the tenants');
        assert.ok(charged <= sums.alice + sums.bob + sums.others + 1e-3, 'no more than all');
      }),
    );
  });
});

test('attributeEvents() has only the sessions of events', () => {
  const session = (id: number, runningCpuMicroseconds: number, isEvent: boolean): Session => ({
    id,
    account: 'alice_1',
    isLocal: true,
    isRunning: true,
    statementMilliseconds: 1,
    transactionMilliseconds: undefined,
    threadCpuMicroseconds: 1,
    runningCpuMicroseconds,
    statement: '',
    ...(isEvent ? { isEvent } : {}),
  });
  const look = (sessions: readonly Session[]): Look => ({
    atMicroseconds: 0,
    accounts: [{ account: 'alice_1', cpuMicroseconds: 9, connections: 1, statements: 1 }],
    sessions,
    serverCpuMicroseconds: undefined,
    backgroundCpuMicroseconds: undefined,
  });
  const events = attributeEvents(
    look([session(1, 10, true), session(2, 5, false)]),
    look([session(1, 30, true), session(2, 50, false)]),
  );
  assert.deepEqual([...events], [['alice_1', 20]]);
});
