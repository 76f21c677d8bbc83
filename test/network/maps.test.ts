/** The kernel's maps: the same decision as the rules, lists, sizes, and what cannot be held. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  listedRules,
  listNumber,
  mappedAddress,
  prefixEntry,
  prefixRules,
  prefixRulesBytes,
} from '../../src/network/core/maps/address-rules.ts';
import {
  limitBytes,
  mapSizes,
  networkMapEntries,
  tooManyRules,
} from '../../src/network/core/maps/network-maps.ts';
import {
  parseNetworkRefusal,
  networkEventStruct,
} from '../../src/network/core/maps/refusal-event.ts';
import { sumOfUsage, usageStruct } from '../../src/network/core/maps/usage-value.ts';
import { broadcastOf, parseIpv6Addresses } from '../../src/network/io/programs/network-facts.ts';
import type { AddressRule, NetworkRules, Reach } from '../../src/network/core/rules.ts';
import { samePrefix, withoutHostBits } from '../../packages/base/ip-address.ts';

const facts = { broadcasts: [], addresses: [Uint8Array.of(192, 0, 2, 1)], namespace: 7 };
const noRules: NetworkRules = {
  tenants: [],
  resellers: new Map(),
  ranges: [],
  servedPorts: new Map(),
};
const open: Reach = {
  mail: 'anywhere',
  tenants: true,
  metadata: true,
  rules: [],
  others: 'allow',
  mode: 'refuse',
};

/** Few addresses and ports, so that rules meet. */
const bytes = (length: number) =>
  fc.array(fc.constantFrom(0, 1, 169, 254), { minLength: length, maxLength: length });
const address = fc.oneof(bytes(4), bytes(16)).map((each) => Uint8Array.from(each));
const port = fc.integer({ min: 0, max: 4 });
const rule: fc.Arbitrary<AddressRule> = fc
  .record({
    address,
    part: fc.double({ min: 0, max: 1, noNaN: true }),
    action: fc.constantFrom('allow' as const, 'refuse' as const),
    ports: fc.array(
      fc.tuple(port, port).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) })),
      { maxLength: 2 },
    ),
    protocol: fc.constantFrom('tcp' as const, 'udp' as const, undefined),
  })
  .map(({ part, address, ...rest }) => {
    const prefix = Math.round(part * 8 * address.length);
    return { ...rest, prefix, address: withoutHostBits(address, prefix) };
  });

interface Target {
  readonly address: Uint8Array;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}

/** Decides as the words of the policy say. */
function plainDecision(reach: Reach, { address, port, protocol }: Target): string | undefined {
  const fits = listedRules(reach).filter(
    (each) =>
      each.address.length === address.length &&
      samePrefix(each.address, address, each.prefix) &&
      (each.protocol === undefined || each.protocol === protocol) &&
      (each.ports.length === 0 ||
        each.ports.some(({ first, last }) => port >= first && port <= last)),
  );
  const longest = Math.max(...fits.map(({ prefix }) => prefix));
  const actions = new Set(
    fits.filter(({ prefix }) => prefix === longest).map(({ action }) => action),
  );
  return (['allow', 'refuse', 'metadata'] as const).find((each) => actions.has(each));
}

/** Decides as the kernel does: only by the longest prefix, and by the first of its rules that fits. */
function kernelDecision(reach: Reach, { address, port, protocol }: Target): string | undefined {
  const wanted = mappedAddress(address);
  const [found] = prefixRules(listedRules(reach))
    .filter(
      ({ prefix }) =>
        prefix.isIpv4 === (address.length === 4) && samePrefix(prefix.address, wanted, prefix.bits),
    )
    .toSorted((a, b) => b.prefix.bits - a.prefix.bits);
  const number = protocol === 'tcp' ? 6 : 17;
  return found?.asked.find(
    (each) =>
      (each.protocol === 0 || each.protocol === number) && port >= each.first && port <= each.last,
  )?.answer;
}

suite('maps of network rules', () => {
  test('prefixRules() decides as the rules do, by the longest prefix alone', () => {
    const target = fc.record({
      address,
      port,
      protocol: fc.constantFrom('tcp' as const, 'udp' as const),
    });
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 8 }),
        fc.boolean(),
        fc.array(target, { minLength: 1, maxLength: 5 }),
        (rules, metadata, targets) => {
          // An address of IPv6 that stands for one of IPv4 is one of IPv4 to the kernel.
          const reach = { ...open, rules, metadata };
          for (const each of targets)
            assert.equal(kernelDecision(reach, each), plainDecision(reach, each));
        },
      ),
    );
  });

  test('prefixEntry() has each rule once, and never more than the kernel asks', () => {
    const [first] = prefixRules([
      {
        action: 'refuse',
        address: Uint8Array.of(10, 0, 0, 0),
        prefix: 8,
        ports: [{ first: 25, last: 26 }],
        protocol: 'tcp',
      },
    ]);
    assert.ok(first !== undefined);
    const { key, value } = prefixEntry(3, first);
    assert.equal(value.length, prefixRulesBytes);
    assert.equal(key.toHex(), '880000000700000000000000000000000000ffff0a000000');
    assert.equal(value.subarray(0, 10).toHex(), '0100000019001a000600');
  });

  test('listNumber() gives different lists different numbers, and never 0', () => {
    const taken = new Set<number>();
    for (let at = 0; at < 2_000; at++) {
      const number = listNumber(`${at % 1_000}`, taken);
      assert.ok(number > 0 && !taken.has(number));
      taken.add(number);
    }
  });

  test('networkMapEntries() has one list for tenants with the same rules', () => {
    const rules = [
      {
        action: 'refuse',
        address: Uint8Array.of(10, 0, 0, 0),
        prefix: 8,
        ports: [],
        protocol: undefined,
      },
    ] as const;
    const tenants = [1, 2, 3].map((uid) => ({
      uid,
      limits: uid === 1 ? { send: 1.4, connections: 5 } : {},
      reach: { ...open, rules: uid === 3 ? [] : [...rules] },
      reseller: 'ann',
    }));
    const entries = networkMapEntries(
      { ...noRules, tenants, resellers: new Map([['ann', { receive: 9 }]]), ranges: [[5, 9, 1]] },
      facts,
    );
    const of = (map: string) => entries.filter((each) => each.map === map);
    assert.equal(of('denied').length, 1);
    assert.equal(of('limits').length, 4);
    assert.ok(of('limits').every(({ value }) => value.length === limitBytes));
    assert.equal(of('clocks').length, 4);
    const [, first] = of('limits');
    const view = new DataView(first!.value.buffer);
    assert.deepEqual([view.getBigUint64(0, true), view.getUint32(16, true)], [1n, 5]);
    assert.equal(of('ranges')[0]?.value.toHex(), '050000000500000001000000');
    assert.equal(of('addresses')[0]?.key.toHex(), '00000000000000000000ffffc0000201');
  });

  test('networkMapEntries() keeps ports for TCP and UDP; served ports are of TCP', () => {
    const tenants = [
      {
        uid: 7,
        limits: {},
        listen: { ports: [{ first: 80, last: 81 }], public: true, mode: 'watch' as const },
      },
    ];
    const entries = networkMapEntries(
      {
        ...noRules,
        tenants,
        servedPorts: new Map([
          [80, 7],
          [90, 8],
        ]),
      },
      facts,
    );
    const ports = new Map(
      entries
        .filter(({ map }) => map === 'ports')
        .map(({ key, value }) => [key.toHex(), value.toHex()]),
    );
    assert.equal(ports.size, 5);
    assert.equal(ports.get('0600000050000000'), '0700000007000000');
    assert.equal(ports.get('1100000050000000'), '0700000005000000');
    assert.equal(ports.get('060000005a000000'), '0800000002000000');
  });

  test('mapSizes() leaves room, keeps what fits, and makes no map of 0', () => {
    const entries = networkMapEntries(
      {
        ...noRules,
        tenants: Array.from({ length: 900 }, (_, uid) => ({ uid: uid + 1, limits: {} })),
      },
      facts,
    );
    const sizes = mapSizes(entries);
    assert.equal(sizes.get('limits'), 2_048);
    assert.equal(sizes.get('denied'), 1_024);
    const inForce = { sizes, others: new Map<string, number>() };
    assert.deepEqual(mapSizes([], inForce), sizes);
    // What is not wanted any more goes only when what is wanted is there.
    assert.equal(
      mapSizes(entries, { ...inForce, others: new Map([['limits', 1_200]]) }).get('limits'),
      4_096,
    );
    const large = {
      sizes: new Map([
        ['limits', 2 ** 17],
        ['denied', 0],
      ]),
      others: new Map(),
    };
    assert.equal(mapSizes([], large).get('limits'), 1_024);
    assert.ok([...mapSizes([], large).values()].every((size) => size > 0));
  });

  test('tooManyRules() names what the maps cannot hold', () => {
    assert.equal(tooManyRules(noRules), undefined);
    const tenants = Array.from({ length: 70_000 }, (_, uid) => ({ uid, limits: {} }));
    assert.match(tooManyRules({ ...noRules, tenants })?.reason ?? '', /70000 tenants.* 65000/);
    const rules = Array.from({ length: 40 }, (_, at) => ({
      action: 'refuse' as const,
      address: Uint8Array.of(10, 0, 0, 0),
      prefix: 8,
      ports: [{ first: at + 1, last: at + 1 }],
      protocol: undefined,
    }));
    const crowded = { ...noRules, tenants: [{ uid: 1, limits: {}, reach: { ...open, rules } }] };
    assert.match(tooManyRules(crowded)?.reason ?? '', /40 rules.*more than 32/);
  });

  test('sumOfUsage() adds the processors; no values are no use', () => {
    const values = new Uint8Array(2 * usageStruct.size);
    const view = new DataView(values.buffer);
    view.setBigUint64(0, 3n, true);
    view.setBigUint64(usageStruct.size, 4n, true);
    view.setBigUint64(usageStruct.size + usageStruct.field('refusals').offset + 8, 5n, true);
    assert.equal(sumOfUsage(values).sentBytes, 7);
    assert.equal(sumOfUsage(values).refusals['reach.mail'], 5);
    assert.equal(sumOfUsage().sentBytes, 0);
  });

  test('parseNetworkRefusal() survives any bytes, and shows names that somebody chose', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        parseNetworkRefusal(bytes);
      }),
    );
    const event = new Uint8Array(networkEventStruct.size);
    const view = new DataView(event.buffer);
    view.setUint32(8, 4, true);
    event.set([0xff, 0xff, 10, 0, 0, 1], 24 + 10);
    event.set([0x1b, 0x5b, 0x41], 40);
    const refusal = parseNetworkRefusal(event);
    assert.equal(refusal?.kind, 'reach.address');
    assert.deepEqual([...refusal.address], [10, 0, 0, 1]);
    assert.ok(!refusal.program.includes('\u001b'));
    view.setUint32(8, 7, true);
    assert.equal(parseNetworkRefusal(event), undefined);
  });

  test('broadcastOf() returns the last address of a network', () => {
    const of = (netmask: readonly number[]) =>
      broadcastOf({ address: Uint8Array.of(192, 0, 2, 66), netmask: Uint8Array.from(netmask) }).map(
        String,
      );
    assert.deepEqual(of([255, 255, 255, 0]), ['192,0,2,255']);
    assert.deepEqual(of([255, 255, 255, 224]), ['192,0,2,95']);
    assert.deepEqual(of([255, 255, 255, 254]), []);
    assert.deepEqual(of([255, 255, 255, 255]), []);
  });

  test('parseIpv6Addresses() reads addresses, and nothing else', () => {
    const text =
      '00000000000000000000000000000001 01 80 10 80       lo\nfd77b000000000000000000000000001 02 40 00 80     eth0\nnothing\n';
    assert.deepEqual(
      parseIpv6Addresses(text).map((each) => each.toHex()),
      ['00000000000000000000000000000001', 'fd77b000000000000000000000000001'],
    );
  });
});
