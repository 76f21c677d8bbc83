import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatAddress,
  isMapped,
  parseAddress,
  withoutHostBits,
} from '../../packages/base/ip-address.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { LineIndex } from '../../src/policy/diagnostic.ts';
import { listenOriginOf, reachOriginOf } from '../../src/policy/network/reach-origins.ts';
import {
  mailReaches,
  metadataPrefixes,
  networkModes,
  ruleActions,
  type AddressRule,
  type Reach,
} from '../../src/policy/network/reach.ts';
import {
  decideConnect,
  decideOpen,
  decidePublic,
  type Decision,
  type Destination,
} from '../../src/network/core/decide.ts';
import { placeOf } from '../../src/network/core/decider-place.ts';
import {
  listedRules,
  mappedAddress,
  prefixEntry,
  prefixRules,
  prefixRulesMax,
} from '../../src/network/core/maps/address-rules.ts';
import { networkRules } from '../../src/network/core/policy-rules.ts';

const nobody = { ranges: [], servedPorts: new Map<number, number>() };

function read(body: string) {
  const text = `<bulkhead version="1">${body}</bulkhead>`;
  const { document, diagnostics } = parsePolicy('p.xml', text);
  assert.ok(document);
  assert.deepEqual(
    diagnostics.list.filter(({ severity }) => severity === 'error'),
    [],
  );
  const policy = resolvePolicy(document, { accounts: [], uidMin: 1000 });
  return { policy, rules: networkRules(policy, nobody), lines: new LineIndex(text) };
}

const to = (
  host: string,
  port: number,
  protocol: Destination['protocol'] = 'tcp',
): Destination => ({
  protocol,
  address: parseAddress(host) ?? assert.fail(host),
  port,
});

function decide(reach: string) {
  const { policy, rules, lines } = read(`\n<tenant uid="1001">\n${reach}</tenant>`);
  const tenant = rules?.tenants[0] ?? { uid: 1001 };
  const element = reachOriginOf(policy.tenants[0]?.chain ?? [])?.at;
  return (destination: Destination, ...here: Parameters<typeof decideConnect>[2][]) => {
    const { outcome, kind, by } = decideConnect(tenant, destination, ...here);
    const place = by && element && placeOf(by, { reach: element });
    return [outcome, kind, place && lines.at(place.start).line].filter(
      (each) => each !== undefined,
    );
  };
}

test('decideConnect() allows everything without a <reach>', () => {
  const of = decide('<listen/>');
  assert.deepEqual(of(to('192.0.2.1', 25)), ['allowed']);
  assert.deepEqual(of(to('127.0.0.1', 9001), { tenant: 1002 }), ['allowed']);
});

test('decideConnect() refuses mail, metadata and other tenants by default', () => {
  const of = decide('<reach/>');
  assert.deepEqual(of(to('192.0.2.1', 25)), ['refused', 'reach.mail', 3]);
  assert.deepEqual(of(to('192.0.2.1', 587)), ['allowed']);
  assert.deepEqual(of(to('192.0.2.1', 25, 'udp')), ['allowed']);
  assert.deepEqual(of(to('169.254.169.254', 80)), ['refused', 'reach.metadata', 3]);
  assert.deepEqual(of(to('::ffff:169.254.169.254', 80)), ['refused', 'reach.metadata', 3]);
  assert.deepEqual(of(to('fd00:ec2::254', 80)), ['refused', 'reach.metadata', 3]);
  assert.deepEqual(of(to('fe80::1', 53, 'udp')), ['refused', 'reach.metadata', 3]);
  assert.deepEqual(of(to('127.0.0.1', 9001), { tenant: 1002 }), ['refused', 'reach.tenants', 3]);
  assert.deepEqual(of(to('127.0.0.1', 9001), { tenant: 1001 }), ['allowed']);
  assert.deepEqual(of(to('127.0.0.1', 25), {}), ['allowed']);
  assert.deepEqual(of(to('192.0.2.1', 0, 'other')), ['refused', 'reach.address', 3]);
  assert.deepEqual(of(to('192.0.2.1', 0, 'icmp')), ['allowed']);
});

test('decideConnect() knows each way of mail', () => {
  const outcomes = mailReaches.map((mail) => {
    const of = decide(`<reach mail="${mail}"/>`);
    return [mail, ...[25, 465, 587].map((port) => of(to('192.0.2.1', port))[0])];
  });
  assert.deepEqual(outcomes, [
    ['anywhere', 'allowed', 'allowed', 'allowed'],
    ['submission', 'refused', 'allowed', 'allowed'],
    ['relay', 'relayed', 'allowed', 'allowed'],
    ['local', 'refused', 'refused', 'refused'],
  ]);
  const watched = decide('<reach mail="relay" mode="watch"/>');
  assert.deepEqual(watched(to('192.0.2.1', 25)), ['reported', 'reach.mail', 3]);
});

test('decideConnect() names the line of the rule: the longest prefix, then allow', () => {
  const of = decide(`<reach>
<refuse address="10.0.0.0/8"/>
<allow address="10.0.0.5" ports="3306"/>
<refuse address="10.0.0.5" ports="3000-4000"/>
<allow address="169.254.169.253" ports="53"/>
<allow address="0.0.0.0/0" ports="80"/>
<allow address="10.0.0.6" ports="25"/>
</reach>`);
  assert.deepEqual(of(to('10.0.0.5', 3306)), ['allowed', 5]);
  assert.deepEqual(of(to('10.0.0.5', 3307)), ['refused', 'reach.address', 6]);
  assert.deepEqual(of(to('10.0.0.5', 80)), ['refused', 'reach.address', 4]);
  assert.deepEqual(of(to('169.254.169.253', 53, 'udp')), ['allowed', 7]);
  assert.deepEqual(of(to('169.254.169.253', 80)), ['refused', 'reach.metadata', 3]);
  assert.deepEqual(of(to('192.0.2.1', 80)), ['allowed', 8]);
  assert.deepEqual(of(to('10.0.0.6', 25)), ['refused', 'reach.mail', 3]);
  assert.deepEqual(of(to('10.0.0.5', 0, 'icmp')), ['refused', 'reach.address', 4]);
});

test('decideConnect() refuses the others of an allow-list, but never this host', () => {
  const of = decide(
    '<reach others="refuse" tenants="yes">\n<allow address="0.0.0.0/0" ports="80 443"/></reach>',
  );
  assert.deepEqual(of(to('192.0.2.1', 443)), ['allowed', 4]);
  assert.deepEqual(of(to('192.0.2.1', 8080)), ['refused', 'reach.address', 3]);
  assert.deepEqual(of(to('2001:db8::1', 443)), ['refused', 'reach.address', 3]);
  assert.deepEqual(of(to('169.254.169.254', 80)), ['refused', 'reach.metadata', 3]);
  assert.deepEqual(of(to('127.0.0.1', 3306), {}), ['allowed']);
  assert.deepEqual(of(to('127.0.0.1', 3306), { tenant: 1002 }), ['allowed']);
});

test('decideConnect() refuses datagrams to all hosts of a network, which neighbours get, too', () => {
  const by = decide('<reach metadata="yes"/>');
  const refused = ['refused', 'reach.tenants', 3];
  for (const host of ['224.0.0.251', '239.255.255.250', '255.255.255.255', 'ff02::fb'])
    assert.deepEqual(by(to(host, 5353, 'udp')), refused, host);
  assert.deepEqual(by({ ...to('192.0.2.255', 9, 'udp'), isBroadcast: true }), refused);
  for (const host of ['192.0.2.255', '223.255.255.255', '240.0.0.1', 'fe00::1'])
    assert.deepEqual(by(to(host, 5353, 'udp')), ['allowed'], host);
  assert.deepEqual(by(to('224.0.0.251', 5353)), ['allowed']);
  const open = decide('<reach metadata="yes" tenants="yes"/>');
  assert.deepEqual(open(to('224.0.0.251', 5353, 'udp')), ['allowed']);
});

test('decideOpen() keeps ports for their tenant, in the mode of its <listen>', () => {
  const { rules, policy } = read(`<tenant uid="1001"><listen ports="7001-7010"/></tenant>
    <tenant uid="1002"><listen ports="8000" mode="watch" public="yes"/></tenant>`);
  assert.ok(rules);
  const open = (uid: number, port: number) => decideOpen(uid, port, rules).outcome;
  assert.deepEqual(
    [open(1002, 7005), open(1001, 7005), open(1002, 7011)],
    ['refused', 'allowed', 'allowed'],
  );
  assert.deepEqual([open(1001, 8000), open(1002, 8000)], ['reported', 'allowed']);
  const [one, other] = rules.tenants.map(({ listen }) => decidePublic(listen));
  assert.deepEqual(
    [one, other],
    [{ outcome: 'refused', kind: 'listen.public', by: 'public' }, { outcome: 'allowed' }],
  );
  assert.deepEqual(decidePublic(undefined), { outcome: 'allowed' });
  const listen = listenOriginOf(policy.tenants[0]?.chain ?? [])?.at;
  assert.ok(listen !== undefined && placeOf('ports', { listen })?.start === listen.ports[0]?.start);
});

/** The addresses are few, so that rules and destinations meet. */
const address = fc.oneof(
  fc
    .tuple(
      fc.constantFrom(10, 169, 100),
      fc.constantFrom(254, 0, 100),
      fc.constantFrom(0, 100),
      fc.constantFrom(0, 5, 200),
    )
    .map((all) => Uint8Array.from(all)),
  fc
    .constantFrom('fe80::1', 'fd00:ec2::254', 'fd00:ec2::255', '2001:db8::1', 'fe80:8000::')
    .map((text) => parseAddress(text) ?? new Uint8Array(16)),
);
const port = fc.constantFrom(0, 1, 25, 80, 465, 587, 65_535);
const range = fc
  .tuple(port, port)
  .map(([a, b]) => ({ first: Math.max(1, Math.min(a, b)), last: Math.max(1, a, b) }));
const anyRule: fc.Arbitrary<AddressRule> = fc
  .tuple(
    address,
    fc.constantFrom(0, 7, 8, 9, 10, 16, 24, 31, 32, 64, 128),
    fc.constantFrom(...ruleActions),
    fc.array(range, { maxLength: 2 }),
    fc.constantFrom('tcp', 'udp', undefined),
  )
  .map(([whole, bits, action, ports, protocol]) => {
    const prefix = Math.min(bits, 8 * whole.length);
    return { action, address: withoutHostBits(whole, prefix), prefix, ports, protocol };
  });
const anyReach: fc.Arbitrary<Reach> = fc.record({
  mail: fc.constantFrom(...mailReaches),
  tenants: fc.boolean(),
  metadata: fc.boolean(),
  rules: fc.array(anyRule, { maxLength: 6 }),
  others: fc.constantFrom(...ruleActions),
  mode: fc.constantFrom(...networkModes),
});
const anyDestination: fc.Arbitrary<Destination> = fc.record({
  protocol: fc.constantFrom('tcp', 'udp', 'icmp'),
  address,
  port,
});

/** Bits as text: slow, and hard to get wrong. */
const bitsOf = (bytes: Uint8Array) =>
  `${bytes.length} ${[...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')}`;
const beginsWith = (bytes: Uint8Array, prefix: number) =>
  bitsOf(bytes).slice(0, bitsOf(bytes).indexOf(' ') + 1 + prefix);

/** Asks prefix by prefix, from the longest, first those that allow. */
function model(
  reach: Reach,
  { protocol, address: to4, port: number }: Destination,
): Decision['outcome'] {
  const no = reach.mode === 'watch' ? 'reported' : 'refused';
  const mail = { anywhere: [], submission: [25], relay: [25], local: [25, 465, 587] }[reach.mail];
  if (protocol === 'tcp' && mail.some((each) => each === number))
    return reach.mail === 'relay' && no === 'refused' ? 'relayed' : no;
  const fits = (rule: AddressRule) =>
    [undefined, protocol].includes(rule.protocol) &&
    (rule.ports.length === 0 ||
      rule.ports.some(({ first, last }) => first <= number && number <= last));
  for (let bits = 8 * to4.length; bits >= 0; bits--) {
    const isAt = (each: { readonly address: Uint8Array; readonly prefix: number }) =>
      each.prefix === bits && bitsOf(to4).startsWith(beginsWith(each.address, bits));
    const here = reach.rules.filter((each) => isAt(each) && fits(each));
    if (here.some(({ action }) => action === 'allow')) return 'allowed';
    if (here.length > 0) return no;
    const services = metadataPrefixes.filter((each) =>
      fits({ ...each, action: 'refuse', protocol: undefined }),
    );
    if (!reach.metadata && services.some(isAt)) return no;
  }
  return reach.others === 'allow' ? 'allowed' : no;
}

test('decideConnect() decides as a model that asks each prefix, and in both forms of an address', () => {
  fc.assert(
    fc.property(anyReach, anyDestination, (reach, destination) => {
      const { outcome, by } = decideConnect({ uid: 1001, reach }, destination);
      assert.equal(outcome, model(reach, destination), formatAddress(destination.address));
      if (typeof by === 'object') assert.ok(by.rule < reach.rules.length);
      if (destination.address.length === 16) return;
      const mapped = {
        ...destination,
        address: parseAddress(`::ffff:${formatAddress(destination.address)}`) ?? assert.fail(),
      };
      assert.equal(decideConnect({ uid: 1001, reach }, mapped).outcome, outcome);
    }),
    { numRuns: 5000 },
  );
});

const numbers = { tcp: 6, udp: 17, icmp: 1, other: 132 } as const;

/** Decides as `decide()` of bpf/reach.h does, with the bytes of the map: one look-up, then the first rule that fits. */
function byMap(reach: Reach, { protocol, address: whole, port: number }: Destination) {
  const six = mappedAddress(whole);
  const family = isMapped(six) ? 1 : 0;
  const found = prefixRules(listedRules(reach))
    .map((each) => prefixEntry(7, each))
    .map(({ key, value }) => ({ key, value, view: new DataView(key.buffer) }))
    .filter(({ view }) => view.getUint32(4, true) === 2 * 7 + family)
    .map(({ key, value, view }) => ({
      bits: view.getUint32(0, true) - 32,
      key: key.slice(8),
      value,
    }))
    .filter(({ bits, key }) => bitsOf(six).startsWith(beginsWith(key, bits)))
    .toSorted((a, b) => b.bits - a.bits)[0];
  if (found === undefined) return 'undecided';
  const view = new DataView(found.value.buffer);
  const count = view.getUint32(0, true);
  assert.ok(count <= prefixRulesMax);
  for (let at = 0; at < count; at++) {
    const [first, last] = [view.getUint16(4 + 6 * at, true), view.getUint16(6 + 6 * at, true)];
    const [own, answer = 0] = found.value.slice(8 + 6 * at);
    if (own !== 0 && own !== numbers[protocol]) continue;
    if (number >= first && number <= last)
      return (['refused', 'allowed', 'metadata'] as const)[answer];
  }
  return 'undecided';
}

test('decideConnect() decides as the map of the kernel', () => {
  fc.assert(
    fc.property(anyReach, anyDestination, (given, destination) => {
      const reach: Reach = { ...given, mail: 'anywhere', mode: 'refuse' };
      const { outcome, kind } = decideConnect({ uid: 1001, reach }, destination);
      const others = reach.others === 'allow' ? 'allowed' : 'refused';
      const answer = byMap(reach, destination);
      const known = answer === 'undecided' ? others : answer;
      assert.equal(kind === 'reach.metadata' ? 'metadata' : outcome, known);
    }),
    { numRuns: 5000 },
  );
});

test('the most rules that a policy can have for one address are all in the map', () => {
  const ranges = Array.from({ length: 27 }, (_, at) => `${at + 100}`).join(' ');
  const { rules } = read(`<tenant uid="1001"><reach>
    <refuse address="168.63.129.16" ports="${ranges}" protocol="tcp"/>
    <refuse address="168.63.0.0/16" protocol="tcp"/></reach></tenant>`);
  const given = rules?.tenants[0]?.reach ?? assert.fail();
  const ofNameServer: AddressRule = {
    action: 'allow',
    address: Uint8Array.of(168, 63, 129, 16),
    prefix: 32,
    ports: [{ first: 53, last: 53 }],
    protocol: undefined,
  };
  const reach = { ...given, rules: [...given.rules, ofNameServer] };
  const lengths = prefixRules(listedRules(reach)).map(({ asked }) => asked.length);
  assert.ok(Math.max(...lengths) <= prefixRulesMax);
  const answers = [53, 80, 32_526, 126, 9000].map((each) =>
    byMap(reach, to('168.63.129.16', each)),
  );
  assert.deepEqual(answers, ['allowed', 'metadata', 'metadata', 'refused', 'refused']);
});

test('metadata services of each cloud are refused, and Azure keeps its name servers', () => {
  const of = decide('<reach/>');
  const services = [
    'fd00:ec2::254',
    'fd20:ce::254',
    'fd00:c1::a9fe:a9fe',
    'fd00:42::42',
    '100.100.100.200',
    '168.63.129.16',
  ];
  for (const each of services)
    assert.deepEqual(of(to(each, 80)), ['refused', 'reach.metadata', 3], each);
  assert.deepEqual(of(to('168.63.129.16', 53, 'udp')), ['allowed']);
});
