import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDiagnostic } from '../../src/policy/diagnostic.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { findTenant, originOf, type Account } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const account = (user: string, uid: number): Account => ({
  user,
  uid,
  gid: uid,
  home: `/home/${user}`,
});
const accounts = [
  account('root', 0),
  account('www-data', 33),
  account('nobody', 65_534),
  account('alice', 1001),
  account('bob', 1002),
  account('acme', 1003),
  account('deploy', 1004),
];

function resolve(body: string) {
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document);
  const policy = resolvePolicy(document, { accounts, uidMin: 1000 });
  return { policy, said: document.diagnostics.list.map(formatDiagnostic) };
}

test('resolvePolicy() inherits nearest first: tenant, package, reseller package, defaults', () => {
  const { policy, said } = resolve(`
    <tenants uids="1000-1999" except="deploy" package="starter"/>
    <defaults><cpu limit="100%"/><memory limit="1GiB"/><processes limit="100"/></defaults>
    <package name="starter"><processes limit="50"/></package>
    <package name="business"><cpu limit="200%"/><memory limit="4GiB"/></package>
    <package name="small"><cpu limit="150%"/></package>
    <reseller user="acme" package="business"><tenant user="bob" package="small"/></reseller>
    <tenant user="alice"><memory limit="2GiB"/></tenant>`);
  assert.deepEqual(said, []);
  const values = (user: string) => findTenant(policy, user)?.values;
  assert.deepEqual(values('alice'), {
    'cpu.limit': 1,
    'memory.limit': 2 * 2 ** 30,
    'processes.limit': 50,
  });
  assert.deepEqual(values('bob'), {
    'cpu.limit': 1.5,
    'memory.limit': 4 * 2 ** 30,
    'processes.limit': 100,
  });
  assert.deepEqual(values('acme'), {
    'cpu.limit': 1,
    'memory.limit': 2 ** 30,
    'processes.limit': 50,
  });
  assert.deepEqual(
    policy.tenants.map((each) => each.uid),
    [1001, 1002, 1003],
  );
  const bob = findTenant(policy, '1002');
  assert.equal(bob && originOf(bob.chain, 'memory.limit')?.link.kind, 'reseller package');
  assert.equal(findTenant(policy, 'acme')?.reseller, 1003);
});

const errors: readonly (readonly [body: string, expected: RegExp])[] = [
  ['<tenant user="alcie"/>', /There is no user "alcie" on this host; did you mean "alice"\?/],
  ['<tenant user="root"/>', /"root" cannot be a tenant: uid 0 is root/],
  ['<tenant uid="0"/>', /"0" cannot be a tenant: uid 0 is root/],
  [
    '<tenant user="www-data"/>',
    /uid 33 belongs to the system \(UID_MIN in \/etc\/login.defs is 1000\)/,
  ],
  ['<tenant user="nobody"/>', /is nobody/],
  ['<tenant user="alice"/><tenant uid="1001"/>', /listed twice; first in line 1/],
  ['<tenant user="alice"/><reseller user="acme"><tenant user="alice"/></reseller>', /listed twice/],
  ['<tenants uids="1000-2000"/><tenants uids="1500-3000"/>', /overlaps with the one in line 1/],
  ['<tenants uids="500-2000"/>', /includes system users/],
  ['<tenants uids="1000-2000" except="alice"/><tenant user="alice"/>', /also listed in "except"/],
  ['<tenants uids="1000-2000" except="nope"/>', /There is no user "nope" on this host to except/],
  [
    '<tenant user="alice" package="busines"/><package name="business"><cpu limit="1%"/></package>',
    /There is no package "busines"; did you mean "business"/,
  ],
  [
    '<package name="a"><cpu limit="1%"/></package><package name="a"><cpu limit="1%"/></package>',
    /defined twice/,
  ],
  ['<reseller user="acme"/><reseller uid="1003"/>', /reseller "acme" \(uid 1003\) is listed twice/],
];
for (const [body, expected] of errors) {
  test(`resolvePolicy() refuses ${body}`, () =>
    assert.match(resolve(body).said.join('\n'), expected));
}

const warnings: readonly (readonly [body: string, expected: RegExp])[] = [
  [
    '<tenant user="alice"><memory limit="32MiB"/></tenant>',
    /warning: A memory limit of 32MiB is very low/,
  ],
  [
    '<tenant user="alice"><processes limit="30"/><entries limit="20"/></tenant>',
    /30 processes are few for 20 entries; allow at least entries \+ 15/,
  ],
  [
    '<tenant user="alice"><memory limit="1GiB" soft="2GiB"/></tenant>',
    /soft memory limit 2GiB is above the limit 1GiB/,
  ],
  ['<tenant user="alice"><cpu limit="10%" burst="20%"/></tenant>', /burst 20% is above the limit/],
  [
    '<reseller user="acme"><cpu limit="50%"/><tenant user="bob"><cpu limit="80%"/></tenant></reseller>',
    /80% is above the 50% of reseller acme/,
  ],
  ['<defaults><memory limit="32MiB"/></defaults>', /A memory limit of 32MiB is very low/],
  [
    '<tenant user="alice"/><package name="new"><processes limit="30"/><entries limit="20"/></package>',
    /30 processes are few for 20 entries/,
  ],
  [
    '<tenant user="alice"><network send="1KiB/s"/></tenant>',
    /network send "1KiB\/s" is too small; the minimum is "16KiB\/s", which is in force/,
  ],
  [
    '<reseller user="acme"><network connections="50/s"/><tenant user="bob"><network connections="80/s"/></tenant></reseller>',
    /network connections 80\/s is above the 50\/s of reseller acme/,
  ],
];
for (const [body, expected] of warnings) {
  test(`resolvePolicy() warns about ${body}`, () =>
    assert.match(resolve(body).said.join('\n'), expected));
}

test('resolvePolicy() gives a warning once when several tenants inherit the value', () => {
  const { said } = resolve(
    '<tenants uids="1000-1999"/><defaults><memory limit="16MiB"/></defaults>',
  );
  assert.equal(said.length, 1);
});

test('resolvePolicy() gives sites only the limits written in their own element', () => {
  const { policy, said } = resolve(`
    <defaults><cpu limit="100%"/><memory limit="1GiB"/></defaults>
    <tenant user="alice"><site name="Shop.Example"><cpu limit="50%"/></site><site name="blog.example"/></tenant>
    <reseller user="acme"><tenant user="bob"><site name="bob.example"><memory limit="2MiB"/></site></tenant></reseller>`);
  assert.match(said.join('\n'), /^p\.xml:4:\d+: error: .*too small.*$/);
  const sites = (user: string) =>
    findTenant(policy, user)?.sites.map(({ name, values }) => [name, values]);
  assert.deepEqual(sites('alice'), [
    ['shop.example', { 'cpu.limit': 0.5 }],
    ['blog.example', {}],
  ]);
  assert.deepEqual(sites('bob'), [['bob.example', {}]]);
});

test('resolvePolicy() reports a site listed twice, above its tenant, or of two tenants', () => {
  const { policy, said } = resolve(`
    <defaults><cpu limit="100%"/><memory limit="1GiB"/></defaults>
    <tenant user="alice"><site name="a.example"/><site name="A.EXAMPLE"/></tenant>
    <tenant user="bob"><site name="a.example"><cpu limit="150%"/><memory limit="unlimited"/></site></tenant>`);
  const [twice = '', also = '', above = '', ...others] = said;
  assert.deepEqual(others, []);
  assert.match(twice, /3:62: error: The site "a\.example" is listed twice in its tenant/);
  assert.match(
    also,
    /4:36: warning: The site "a\.example" of the tenant "bob".* is one of "alice"/,
  );
  assert.match(above, /4:59: warning: The cpu limit 150% is above the 100% of tenant bob/);
  assert.equal(findTenant(policy, 'alice')?.sites.length, 1);
});

test('resolvePolicy() refuses a site name too long for a slice, except below a reseller', () => {
  const long = Array.from({ length: 4 }, () => 'a'.repeat(60)).join('.');
  const sites = `<site name="a.example"/><site name="${long}"/>`;
  const body = (driver: string) => `<host driver="${driver}"/>
    <tenant user="alice">${sites}</tenant><reseller user="acme"><tenant user="bob">${sites}</tenant></reseller>`;
  const errors = (driver: string) =>
    resolve(body(driver)).said.filter((each) => /error/.test(each));
  assert.match(
    errors('systemd').join('\n'),
    /^p\.xml:2:62: error: The name is too long for a slice of systemd; choose/,
  );
  assert.equal(errors('systemd').length, 1);
  assert.deepEqual(errors('cgroup2'), []);
});
