/** Faults and incidents of the network: from counts, reports and rates to sentences. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ReportedFault } from '../../src/agent/part.ts';
import { AttemptTally } from '../../src/network/core/attempt-tally.ts';
import { attemptEvidence, type Attempt } from '../../src/network/core/attempts.ts';
import { networkIncidents } from '../../src/network/core/network-incidents.ts';
import { rateFaults } from '../../src/network/core/rate-faults.ts';
import type { NetworkRules } from '../../src/network/core/rules.ts';
import {
  networkRefusalKinds,
  type NetworkRefusal,
  type NetworkRefusalKind,
  type NetworkUse,
} from '../../src/network/core/use.ts';

const noRefusals = Object.fromEntries(networkRefusalKinds.map((kind) => [kind, 0])) as Record<
  NetworkRefusalKind,
  number
>;
const counts = (some: Partial<Record<NetworkRefusalKind, number>>) =>
  new Map([[1001, { ...noRefusals, ...some }]]);

const refusal = (more: Partial<NetworkRefusal> = {}): NetworkRefusal => ({
  kind: 'reach.mail',
  uid: 1001,
  pid: 7,
  program: 'php-fpm8.2',
  address: Uint8Array.of(192, 0, 2, 1),
  port: 25,
  protocol: 6,
  wasRefused: true,
  ...more,
});
const enforced = () => false;
const itemsOf = (fault: ReportedFault | undefined) =>
  (fault?.evidence.items ?? []) as readonly Attempt[];

describe('AttemptTally', () => {
  test('counts what the programs counted, and shows what they reported', () => {
    const tally = new AttemptTally();
    tally.begin(counts({ 'reach.mail': 10 }), new Map());
    for (let last = 1; last <= 30; last++)
      tally.add(refusal({ address: Uint8Array.of(192, 0, 2, last) }), 1_000, '');
    const [fault, ...more] = tally.take(counts({ 'reach.mail': 4130 }), 1_000, enforced);
    assert.deepEqual(more, []);
    assert.equal(fault?.count, 4120);
    assert.equal(fault?.severity, 'refused');
    assert.equal(fault?.limit, 'reach.mail');
    assert.equal(fault?.member, 'u1001');
    const [item] = itemsOf(fault);
    assert.deepEqual([item?.tries, item?.addresses, item?.port], [30, 30, 25]);
    assert.deepEqual(tally.take(counts({ 'reach.mail': 4130 }), 2_000, enforced), []);
  });

  test('counts that it has not seen before, and that went back, are no faults', () => {
    const tally = new AttemptTally();
    assert.deepEqual(tally.take(counts({ 'reach.mail': 5 }), 0, enforced), []);
    assert.deepEqual(tally.take(counts({ 'reach.mail': 2 }), 1, enforced), []);
    tally.begin(counts({ 'reach.mail': 2 }));
    assert.equal(tally.take(counts({ 'reach.mail': 4 }), 2, enforced)[0]?.count, 2);
  });

  test('a report says whether it was refused, and else the rules do', () => {
    const tally = new AttemptTally();
    tally.begin(counts({}), new Map());
    tally.add(refusal({ wasRefused: false }), 1, '');
    const watched = tally.take(counts({ 'reach.mail': 1 }), 1, enforced);
    assert.equal(watched[0]?.severity, 'throttled');
    const unreported = tally.take(counts({ 'reach.mail': 2 }), 2, () => true);
    assert.equal(unreported[0]?.severity, 'throttled');
    assert.deepEqual(unreported[0]?.evidence.items, []);
  });

  test('a report before its count waits for it, and not for tenants that are gone', () => {
    const tally = new AttemptTally();
    tally.begin(counts({}), new Map());
    tally.add(refusal(), 1, '');
    tally.add(refusal({ uid: 1002 }), 1, '');
    assert.deepEqual(tally.take(counts({}), 1, enforced), []);
    const [fault] = tally.take(counts({ 'reach.mail': 1 }), 2, enforced);
    assert.equal(itemsOf(fault).length, 1);
    tally.begin(new Map([[1002, noRefusals]]));
    const [other] = tally.take(new Map([[1002, { ...noRefusals, 'reach.mail': 1 }]]), 3, enforced);
    assert.deepEqual(itemsOf(other), []);
  });

  test('addresses of all tenants together are bounded, and forgotten after a while', () => {
    const tally = new AttemptTally();
    const tryAll = (uid: number, at: number) => {
      for (let index = 0; index < 5_000; index++) {
        const address = Uint8Array.of(10, 0, index >> 8, index & 0xff);
        tally.add(refusal({ uid, address }), at, '');
      }
    };
    const addressesOf = (uid: number, at: number) => {
      tally.begin(new Map([[uid, noRefusals]]), new Map());
      tryAll(uid, at);
      const [fault] = tally.take(
        new Map([[uid, { ...noRefusals, 'reach.mail': 1 }]]),
        at,
        enforced,
      );
      return itemsOf(fault)[0]?.addresses;
    };
    for (let uid = 2000; uid < 2024; uid++) assert.equal(addressesOf(uid, 1), 4096);
    assert.equal(addressesOf(2024, 1), 100_000 - 24 * 4096);
    assert.equal(addressesOf(2025, 1), 1);
    assert.equal(addressesOf(2026, 1_000_000), 1);
    assert.equal(addressesOf(2027, 2_000_000), 4096);
  });

  test('programs that choose many names do not fill the memory', () => {
    const tally = new AttemptTally();
    tally.begin(counts({}), new Map());
    for (let index = 0; index < 20_000; index++) {
      const address = Uint8Array.of(10, index >> 16, (index >> 8) & 0xff, index & 0xff);
      tally.add(refusal({ program: `p${index}`, address }), 1, '');
    }
    const [fault] = tally.take(counts({ 'reach.mail': 20_000 }), 1, enforced);
    assert.equal(fault?.count, 20_000);
    assert.equal(fault?.evidence.items.length, 20);
    tally.add(refusal({ address: Uint8Array.of(11, 0, 0, 1) }), 2, '');
    const [next] = tally.take(counts({ 'reach.mail': 20_001 }), 2, enforced);
    assert.ok((itemsOf(next)[0]?.addresses ?? Infinity) <= 4096);
  });
});

describe('attemptEvidence', () => {
  const attempt = (more: Partial<Attempt> = {}): Attempt => ({
    at: 1,
    program: 'php-fpm8.2',
    address: '192.0.2.1',
    port: 25,
    tries: 5,
    addresses: 1873,
    owner: '',
    ...more,
  });

  test('says how many addresses, most by whom, and what it looks like', () => {
    assert.equal(
      attemptEvidence.describe([attempt(), attempt({ program: 'curl', tries: 1 })], true),
      'At least 1873 addresses were involved, such as 192.0.2.1, at port 25. Most attempts were made by php-fpm8.2; 1 other program was seen: curl. So many mail servers suggest a hacked script.',
    );
    assert.match(
      attemptEvidence.describe([attempt({ port: 22 })], true),
      /Port 22 at so many addresses looks like a port scan\.$/,
    );
  });

  test('few addresses are no scan, and addresses are not for everybody', () => {
    const few = attempt({ addresses: 1, port: 9001, program: 'curl', owner: 'alice' });
    assert.equal(
      attemptEvidence.describe([few], true),
      'The address was 192.0.2.1, at port 9001, which belongs to alice. The program was curl.',
    );
    const seen = attemptEvidence.redact(few);
    assert.equal(
      attemptEvidence.describe([seen], false),
      'The port was 9001. The program was curl.',
    );
    assert.doesNotMatch(attemptEvidence.line(seen), /192|alice/);
  });
});

describe('networkIncidents', () => {
  test('has words for each kind of refusal, in both modes', () => {
    assert.deepEqual(
      networkIncidents.map(({ limit }) => limit).toSorted(),
      [...networkRefusalKinds].toSorted(),
    );
    for (const kind of networkIncidents) {
      if (kind.withoutLimit === undefined) continue;
      const refused = kind.happened?.({ severity: 'refused', faults: 3 }, []);
      const watched = kind.happened?.({ severity: 'throttled', faults: 3 }, []);
      assert.match(refused ?? '', /3 times$/);
      assert.match(watched ?? '', /3 times$/);
      assert.notEqual(refused, watched);
    }
  });
});

describe('rateFaults()', () => {
  const use = (some: Partial<NetworkUse> = {}): NetworkUse => ({
    sentBytes: 0,
    receivedBytes: 0,
    sentPackets: 0,
    receivedPackets: 0,
    connectionsOut: 0,
    connectionsIn: 0,
    localBytes: 0,
    heldPackets: 0,
    lostPackets: 0,
    refusals: noRefusals,
    ...some,
  });
  const rules: NetworkRules = {
    tenants: [
      { uid: 1, limits: { send: 1000 }, reseller: 'acme' },
      { uid: 2, limits: {}, reseller: 'acme' },
    ],
    resellers: new Map([['acme', { send: 1500, receive: 1e9 }]]),
    ranges: [],
    servedPorts: new Map(),
  };
  const uids = new Map([['acme', 9]]);
  const faults = (one: Partial<NetworkUse>, two: Partial<NetworkUse> = {}) =>
    rateFaults(rules, uids, {
      before: new Map([
        [1, use()],
        [2, use()],
      ]),
      now: new Map([
        [1, use(one)],
        [2, use(two)],
      ]),
      seconds: 5,
    }).map(({ member, limit }) => `${member} ${limit}`);

  test('a rate at the limit in which packets waited is a fault', () => {
    assert.deepEqual(faults({ sentBytes: 4900, heldPackets: 3 }), ['u1 network.send']);
    assert.deepEqual(faults({ sentBytes: 4900 }), []);
    assert.deepEqual(faults({ sentBytes: 4000, heldPackets: 3 }), []);
  });

  test("a reseller's tenants count together", () => {
    const found = faults({ sentBytes: 3000 }, { sentBytes: 4500, lostPackets: 1 });
    assert.deepEqual(found, ['r9 network.send']);
  });

  test('a tenant without a reading before is unknown', () => {
    const now = new Map([[1, use({ sentBytes: 9000, heldPackets: 1 })]]);
    assert.deepEqual(rateFaults(rules, uids, { before: new Map(), now, seconds: 5 }), []);
  });
});
