import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineIndex } from '../../../src/policy/diagnostic.ts';
import { explain } from '../../../src/policy/explain.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';
import type { HostFacts } from '../../../src/policy/policy.ts';
import { resolvePolicy } from '../../../src/policy/resolve.ts';
import { formatPorts, formatRule } from '../../../src/policy/network/reach.ts';
import { listenOriginOf, reachOriginOf } from '../../../src/policy/network/reach-origins.ts';
import { valueKinds } from '../../../src/policy/value-kinds.ts';

const facts: HostFacts = { accounts: [], uidMin: 1000 };
const policyOf = (body: string) => `<bulkhead version="1">${body}</bulkhead>`;

function resolve(body: string) {
  const { document, diagnostics } = parsePolicy('p.xml', policyOf(body));
  assert.ok(document);
  const policy = resolvePolicy(document, facts);
  const said = diagnostics.list.map(
    ({ line, column, severity, message }) => `${line}:${column}: ${severity}: ${message}`,
  );
  return { policy, said };
}

const said = (inside: string) => resolve(`\n<tenant uid="1001">${inside}</tenant>`).said.join('\n');
const rule = (attributes: string) => said(`<reach><refuse ${attributes}/></reach>`);

test('<reach> and <listen> are inherited as a whole from the nearest element', () => {
  const { policy } = resolve(`
    <defaults><reach mail="local"/><listen/></defaults>
    <package name="p"><reach mail="anywhere" tenants="yes"/></package>
    <reseller uid="4000" package="p"><tenant uid="5001"/></reseller>
    <tenant uid="5002"/>
    <tenant uid="5003" package="p"><reach metadata="yes"/><listen ports="7001-7010, 8000" public="yes"/></tenant>`);
  const seen = policy.tenants.map(({ chain }) => {
    const [reach, listen] = [reachOriginOf(chain), listenOriginOf(chain)];
    const { mail, tenants, metadata } = reach?.at ?? {};
    return [
      reach?.link.kind,
      `${mail?.value} ${tenants?.value} ${metadata?.value}`,
      listen?.link.kind,
      formatPorts((listen?.at.ports ?? []).map(({ value }) => value)),
    ];
  });
  assert.deepEqual(seen, [
    ['reseller package', 'anywhere true false', 'defaults', ''],
    ['defaults', 'local false false', 'defaults', ''],
    ['tenant', 'submission false true', 'tenant', '7001-7010 8000'],
  ]);
});

test('a <reach> that says nothing protects: mail servers, other tenants and metadata', () => {
  const [tenant] = resolve('<tenant uid="1001"><reach/><listen/></tenant>').policy.tenants;
  const { at: reach } = reachOriginOf(tenant?.chain ?? []) ?? {};
  const { at: listen } = listenOriginOf(tenant?.chain ?? []) ?? {};
  assert.deepEqual(
    [
      reach?.mail,
      reach?.tenants,
      reach?.metadata,
      reach?.others,
      reach?.mode,
      listen?.public,
      listen?.mode,
    ].map((each) => each?.value),
    ['submission', false, false, 'allow', 'refuse', false, 'refuse'],
  );
});

test('rules have an address, ports, a protocol and a reason', () => {
  const text = `<reach others="refuse" mode="watch">
    <refuse address="10.0.0.0/8" reason="the network of the provider"/>
    <allow address="2001:DB8::0/32" ports="443,8000-8010 25" protocol="tcp"/></reach>`;
  const { policy, said: messages } = resolve(`<tenant uid="1001">${text}</tenant>`);
  const reach = reachOriginOf(policy.tenants[0]?.chain ?? [])?.at;
  assert.deepEqual(messages, []);
  assert.deepEqual(reach?.rules.map(formatRule), [
    'refuse 10.0.0.0/8',
    'allow 2001:db8::/32, tcp, ports 443 8000-8010 25',
  ]);
  assert.equal(reach?.rules[0]?.reason, 'the network of the provider');
});

test('explain() shows each attribute and each rule with its line', () => {
  const body = `
<defaults><listen public="yes"/></defaults>
<tenant uid="1001"><site name="a.example"/>
<reach mail="local"
 mode="watch">
<refuse address="10.0.0.0/8" reason="ours"/></reach></tenant>
<tenant uid="1002"/>`;
  const { policy } = resolve(body);
  const lines = new LineIndex(policy.text);
  const [tenant, other] = policy.tenants;
  assert.ok(tenant && other);
  const shown = (subject: Parameters<typeof explain>[0]) =>
    (explain(subject, policy, lines).network ?? []).map(
      ({ setting, value, reason, from, line }) =>
        `${line} ${setting}: ${value}, ${from}${reason === undefined ? '' : ` (${reason})`}`,
    );
  const all = [
    '4 reach mail: local, the tenant itself',
    '4 reach tenants: no, the tenant itself',
    '4 reach metadata: no, the tenant itself',
    '6 reach rule: refuse 10.0.0.0/8, the tenant itself (ours)',
    '4 reach others: allow, the tenant itself',
    '5 reach mode: watch, the tenant itself',
    '2 listen ports: none, defaults',
    '2 listen public: yes, defaults',
    '2 listen mode: refuse, defaults',
  ];
  assert.deepEqual(shown({ tenant, site: undefined }), all);
  assert.deepEqual(shown({ tenant, site: tenant.sites[0] }), all);
  assert.deepEqual(shown({ tenant: other, site: undefined }), all.slice(6));
});

const wrong: readonly (readonly [string, RegExp])[] = [
  [
    'address="10.0.0.1/8"',
    /^2:44: error: "10\.0\.0\.1\/8" has bits beyond its prefix of 8; write "10\.0\.0\.0\/8" for all of them, or "10\.0\.0\.1" for one address$/,
  ],
  ['address="2001:db8::1/32"', /write "2001:db8::\/32" for all of them, or "2001:db8::1"/],
  ['address="10.0.0.0/33"', /has no prefix of 0 to 32 bits/],
  ['address="10.0.0.0/"', /has no prefix of 0 to 32 bits/],
  ['address="10.0.0.0/-1"', /has no prefix of 0 to 32 bits/],
  ['address="10.0.0.0/8/8"', /is not an address or a prefix/],
  ['address="::/129"', /has no prefix of 0 to 128 bits/],
  [
    'address="smtp.example.org"',
    /is not an address or a prefix; names of hosts are not possible, since what they stand for changes/,
  ],
  ['address="10.0.0"', /is not an address or a prefix; write for example/],
  ['address="010.0.0.1"', /is not an address or a prefix/],
  ['address="fe80::1%eth0"', /is not an address or a prefix/],
  ['address=""', /is not an address or a prefix/],
  [
    'address="::ffff:10.0.0.0/104"',
    /is an IPv4 address in the form of IPv6; .*; write "10\.0\.0\.0\/8"/,
  ],
  ['address="::ffff:10.1.2.3"', /write "10\.1\.2\.3"/],
  ['address="127.0.0.1"', /is this host itself, for which there are no rules/],
  ['address="::1"', /is this host itself/],
  ['address="0.0.0.0"', /is this host itself/],
  ['', /<refuse> needs the attribute "address", for example/],
  ['address="10.0.0.5" ports="0"', /2:61: error: "0" is not within the ports 1 to 65535/],
  ['address="10.0.0.5" ports="80 65536"', /2:64: error: "65536" is not within the ports/],
  ['address="10.0.0.5" ports="90-80"', /The range "90-80" is backwards; write "80-90"/],
  ['address="10.0.0.5" ports="http"', /"http" is not a port or a range of ports/],
  ['address="10.0.0.5" ports=" , "', /is not a port or a range of ports/],
  ['address="10.0.0.5" protocol="icmp"', /"icmp" is not one of tcp, udp/],
  ['address="10.0.0.5" reason="a&#10;b"', /It has a control character/],
  ['address="10.0.0.5" port="80"', /<refuse> has no attribute "port"; did you mean "ports"\?/],
];
for (const [attributes, message] of wrong)
  test(`parsePolicy() refuses <refuse ${attributes}/>`, () =>
    assert.match(rule(attributes), message));

test('parsePolicy() reports mistakes in <reach> and <listen>', () => {
  assert.match(
    said('<reach mail="none"/>'),
    /"none" is not one of anywhere, submission, relay, local/,
  );
  assert.match(
    said('<reach mode="watchh"/>'),
    /is not one of refuse, watch; did you mean "watch"\?/,
  );
  assert.match(said('<reach tenants="true"/>'), /"true" is not one of yes, no/);
  assert.match(said('<reach others="no"/>'), /"no" is not one of allow, refuse/);
  assert.match(said('<reach/><reach/>'), /<reach> occurs twice/);
  assert.match(
    said('<reach><deny address="10.0.0.0/8"/></reach>'),
    /<deny> is not known inside <reach>/,
  );
  assert.match(
    said('<site name="a.example"><reach/></site>'),
    /<reach> is not known inside <site>/,
  );
  assert.match(
    resolve('<reseller uid="4000"><reach/></reseller>').said.join(),
    /<reach> is not known inside <reseller>/,
  );
  assert.match(
    said('<reach others="refuse"><refuse address="10.0.0.0/8"/></reach>'),
    /2:35: warning: Without an <allow> no other host is reached/,
  );
  assert.match(
    said(
      '<reach><refuse address="10.0.0.5" ports="80"/>\n<allow ports="80" address="10.0.0.5"/></reach>',
    ),
    /3:1: error: The rule in line 2 is for the same address, ports and protocol; remove one of them/,
  );
  assert.match(
    said('<listen ports="7001-7010 7010"/>'),
    /"7010" overlaps with the ports "7001-7010" in line 2/,
  );
  assert.match(
    said('<listen ports="61001-65535 7001-7010" public="no"/>'),
    /These are 4545 ports; 4096 are the most/,
  );
  assert.match(said('<listen public="maybe"/>'), /"maybe" is not one of yes, no/);
});

test('parsePolicy() refuses ports for everybody, and one port for two tenants', () => {
  for (const parent of ['defaults', 'package name="p"'])
    assert.match(
      resolve(`<${parent}><listen ports="7001"/></${parent.split(' ')[0]}>`).said.join(),
      /A port is kept for one tenant; write "ports" into the <listen> of its <tenant>/,
    );
  const { said: messages } = resolve(`
<tenant uid="1001"><listen ports="7001-7010" public="no"/></tenant>
<reseller uid="4000"><tenant uid="1002"><listen ports="6000 7005" public="no"/></tenant></reseller>
<tenant uid="1003"><listen ports="7009-7020" public="no"/></tenant>
<tenant uid="1004"><listen ports="7011 8000-8010" public="no"/></tenant>`);
  assert.deepEqual(messages.map((each) => each.replace(/;.*/, '')).toSorted(), [
    '3:61: error: "7005" overlaps with the ports "7001-7010" in line 2',
    '4:35: error: "7009-7020" overlaps with the ports "7001-7010" in line 2',
    '5:35: error: "7011" overlaps with the ports "7009-7020" in line 4',
  ]);
});

test('parsePolicy() warns of kept ports that other hosts do not reach, or that the kernel gives to others', () => {
  assert.match(
    said('<listen ports="7001"/>'),
    /^2:35: warning: Without "public", no other host can connect to what the tenant opens; write public="yes"/,
  );
  assert.equal(said('<listen ports="7001 61000" public="no"/>'), '');
  assert.match(
    said('<listen ports="7001 60999" public="yes"/>'),
    /^2:40: warning: Connections of the whole host use the ports 32768 to 60999; keep other ones$/,
  );
});

test('parsePolicy() bounds the rules of a <reach>, and those of one address', () => {
  const many = Array.from(
    { length: 257 },
    (_, at) => `<refuse address="10.0.${at >> 8}.${at & 255}"/>`,
  );
  assert.match(said(`<reach>${many.join('')}</reach>`), /<reach> has 257 rules; 256 are the most/);
  assert.equal(said(`<reach>${many.slice(1).join('')}</reach>`), '');
  const nested = Array.from({ length: 32 }, (_, at) => `<refuse address="0.0.0.0/${at}"/>`).slice(
    0,
    8,
  );
  const ports = (count: number) => Array.from({ length: count }, (_, at) => 2 * at + 1).join(' ');
  const one = (count: number) =>
    `<reach>${nested.join('')}<allow address="0.0.0.0/0" ports="${ports(count)}"/></reach>`;
  assert.equal(said(one(20)), '');
  assert.match(said(one(21)), /For 0\.0\.0\.0\/7 there are 29 rules, .*; 28 are the most/);
});

test('reading what was formatted gives the same, whatever the addresses and ports', () => {
  const port = fc.integer({ min: 1, max: 65_535 });
  const range = fc
    .tuple(port, port)
    .map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }));
  fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 20 }), (ranges) => {
      assert.deepEqual(valueKinds.ports.parse(formatPorts(ranges)), { ok: true, value: ranges });
    }),
  );
});

test('parsePolicy() survives whatever is in these elements, and names a place for each mistake', () => {
  const word = fc.oneof(
    fc.constantFrom(
      '10.0.0.0/8',
      '::/0',
      '::ffff:1.2.3.4',
      '1-65535',
      '0',
      '99999999999999999999',
      'watch',
      'yes',
      '/',
      ':',
      '-',
      ',',
      '&#0;',
      '&lt;',
      '&#x202e;',
      '__proto__',
      'constructor',
    ),
    fc
      .string({ unit: 'binary' })
      .map((text) => text.replace(/[<>&"\p{Cc}\p{Cs}\ufffe\uffff]/gu, '')),
  );
  const attribute = fc
    .tuple(
      fc.constantFrom(
        'address',
        'ports',
        'protocol',
        'reason',
        'mail',
        'mode',
        'public',
        'others',
        'tenants',
      ),
      word,
      word,
    )
    .map(([name, one, two]) => [name, `${one}${two}`] as const);
  const attributes = fc
    .uniqueArray(attribute, { maxLength: 5, selector: ([name]) => name })
    .map((all) => all.map(([name, value]) => ` ${name}="${value}"`).join(''));
  const element = (name: fc.Arbitrary<string>) =>
    fc.tuple(name, attributes).map(([each, inside]) => `<${each}${inside}/>`);
  const body = fc
    .tuple(
      fc.constantFrom('defaults', 'tenant uid="1001"', 'package name="p"'),
      attributes,
      fc.array(element(fc.constantFrom('allow', 'refuse')), { maxLength: 6 }),
      element(fc.constant('listen')),
    )
    .map(
      ([parent, own, rules, listen]) =>
        `<${parent}><reach${own}>${rules.join('')}</reach>${listen}</${parent.split(' ')[0]}>`,
    );
  fc.assert(
    fc.property(body, (inside) => {
      const { document, diagnostics } = parsePolicy('p.xml', policyOf(inside));
      for (const { line, column, message } of diagnostics.list)
        assert.ok(line >= 1 && column >= 1 && message !== '');
      if (document !== undefined && !diagnostics.failed) resolvePolicy(document, facts);
    }),
    { numRuns: 2000 },
  );
});
