/** Limits that tenants and resellers set for sites are resolved with the policy. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bytes, CpuFraction, Quantity } from '../../packages/base/quantity.ts';
import { LineIndex } from '../../src/policy/diagnostic.ts';
import { explain } from '../../src/policy/explain.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { delegatesOf, type HostFacts } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { exceeds, type SetSiteLimits } from '../../src/policy/sites/site-limits.ts';
import { half, set, shop } from './site-limit-values.ts';

const megabytes = (count: number) => (count * 2 ** 20) as Bytes;

function resolve(body: string, siteLimits: readonly (readonly [number, SetSiteLimits])[] = []) {
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document);
  const facts: HostFacts = { accounts: [], uidMin: 1000, siteLimits: new Map(siteLimits) };
  const policy = resolvePolicy(document, facts);
  return { policy, messages: document.diagnostics.list.map(({ message }) => message) };
}

const allowed = '<sites limits="tenant"/>';
const site = (limits = '') => `<site name="shop.example">${limits}</site>`;

test('delegatesOf() returns the setters of the nearest <sites>', () => {
  const body = `<defaults>${allowed}</defaults><package name="p"><sites limits="administrator"/></package>
    <tenant uid="5001"/><tenant uid="5002" package="p"/><tenant uid="5003" package="p">${allowed}</tenant>
    <reseller uid="4000" package="p"><tenant uid="5004"/></reseller>`;
  const { policy, messages } = resolve(body);
  assert.deepEqual(messages, []);
  assert.deepEqual(policy.tenants.map(delegatesOf), [['tenant'], [], ['tenant'], []]);
  assert.deepEqual(resolve('<tenant uid="5001"/>').policy.tenants.map(delegatesOf), [[]]);
  const both = '<defaults><sites limits="tenant, reseller"/></defaults><tenant uid="5001"/>';
  assert.deepEqual(resolve(both).policy.tenants.map(delegatesOf), [['reseller', 'tenant']]);
});

test('parsePolicy() reports mistakes in <sites>', () => {
  const said = (body: string) => resolve(body).messages.join();
  assert.match(said('<defaults><sites/></defaults>'), /needs the attribute "limits"/);
  assert.match(said('<defaults><sites limits="own"/></defaults>'), /does not say who sets limits/);
  for (const odd of ['', 'tenant administrator', 'tenant tenant', 'Tenant'])
    assert.match(said(`<defaults><sites limits="${odd}"/></defaults>`), /does not say who/, odd);
  assert.match(said(`<tenant uid="5001">${allowed}${allowed}</tenant>`), /occurs twice/);
  assert.match(said(`<reseller uid="4000">${allowed}</reseller>`), /not known inside <reseller>/);
  assert.match(said(`<tenant uid="5001">${site(allowed)}</tenant>`), /not known inside <site>/);
});

test("resolvePolicy() applies the tenant's limit when the policy sets none for the site", () => {
  const own = shop(['cpu.limit', half], ['memory.limit', megabytes(64)]);
  const body = `<tenant uid="5001">${allowed}${site('<cpu limit="20%"/>')}</tenant>`;
  const { policy } = resolve(body, [[5001, { tenant: own }]]);
  const [tenant] = policy.tenants;
  const [found] = tenant?.sites ?? [];
  assert.ok(tenant && found);
  assert.deepEqual(found.values, { 'cpu.limit': 0.2, 'memory.limit': megabytes(64) });
  assert.deepEqual(
    found.own?.map(({ key, state }) => [key, state]),
    [
      ['cpu.limit', 'overruled'],
      ['memory.limit', 'in force'],
    ],
  );
  const told = explain({ tenant, site: found }, policy, new LineIndex(policy.text));
  const memory = told.limits.find(({ limit }) => limit === 'memory limit');
  assert.deepEqual(memory, {
    limit: 'memory limit',
    value: '64MiB',
    from: 'set by uid 5001',
    origin: { kind: 'set by tenant', name: 'uid 5001' },
  });
  assert.equal(told.limits.find(({ limit }) => limit === 'cpu limit')?.from, 'the site itself');
  assert.deepEqual(told.idle, [
    {
      limit: 'cpu limit',
      value: '50%',
      by: 'uid 5001',
      reason: 'the policy sets this limit of the site',
    },
  ]);
});

test("resolvePolicy() prefers the policy's limit, then the reseller's, then the tenant's", () => {
  const set = {
    tenant: shop(
      ['cpu.limit', half],
      ['memory.limit', megabytes(64)],
      ['cpu.weight', 50 as Quantity],
    ),
    reseller: {
      uid: 4000,
      sites: shop(['cpu.limit', 0.1 as CpuFraction], ['memory.limit', megabytes(32)]),
    },
  };
  const body = (who: string, uid = 4000) =>
    `<reseller uid="${uid}"><tenant uid="5001"><sites limits="${who}"/>${site('<cpu limit="20%"/>')}</tenant></reseller>`;
  const found = (...of: Parameters<typeof body>) => {
    const { policy, messages } = resolve(body(...of), [[5001, set]]);
    assert.deepEqual(messages, []);
    const [tenant] = policy.tenants;
    const [shopNow] = tenant?.sites ?? [];
    assert.ok(tenant && shopNow);
    const states = shopNow.own?.map(({ key, setter, state }) => `${key} ${setter}: ${state}`);
    const told = explain({ tenant, site: shopNow }, policy, new LineIndex(policy.text));
    return { values: shopNow.values, states, told };
  };
  const both = found('reseller tenant');
  assert.deepEqual(both.values, {
    'cpu.limit': 0.2,
    'memory.limit': megabytes(32),
    'cpu.weight': 50,
  });
  assert.deepEqual(both.states, [
    'cpu.limit reseller: overruled',
    'memory.limit reseller: in force',
    'cpu.limit tenant: overruled',
    'memory.limit tenant: overruled by reseller',
    'cpu.weight tenant: in force',
  ]);
  const from = (limit: string) => both.told.limits.find((each) => each.limit === limit)?.from;
  assert.equal(from('cpu limit'), 'the site itself');
  assert.equal(from('memory limit'), 'set by reseller uid 4000');
  assert.equal(from('cpu weight'), 'set by uid 5001');
  assert.deepEqual(
    both.told.idle?.map(({ by, reason }) => `${by}: ${reason}`),
    [
      'reseller uid 4000: the policy sets this limit of the site',
      'uid 5001: the policy sets this limit of the site',
      'uid 5001: its reseller has set this limit of the site',
    ],
  );
  const onlyTenant = found('tenant');
  assert.equal(onlyTenant.values['memory.limit'], megabytes(64));
  assert.match(onlyTenant.told.idle?.[0]?.reason ?? '', /does not let its reseller set limits/);
  const onlyReseller = found('reseller');
  assert.deepEqual(onlyReseller.values, { 'cpu.limit': 0.2, 'memory.limit': megabytes(32) });
  assert.equal(found('administrator').values['memory.limit'], undefined);
  const another = found('reseller tenant', 4001);
  assert.equal(another.values['memory.limit'], megabytes(64), 'of another reseller nothing counts');
  assert.ok(another.states?.every((each) => each.includes('tenant:')));
});

test('resolvePolicy() ignores limits set without permission, or by another tenant', () => {
  const own = shop(['cpu.limit', half]);
  const withdrawn = resolve(`<tenant uid="5001">${site()}</tenant>`, [[5001, { tenant: own }]]);
  const [found] = withdrawn.policy.tenants[0]?.sites ?? [];
  assert.deepEqual(found?.values, {});
  assert.deepEqual(
    found?.own?.map(({ state }) => state),
    ['withdrawn'],
  );
  const other = resolve(`<tenant uid="5002">${allowed}${site()}</tenant>`, [
    [5001, { tenant: own }],
  ]);
  assert.deepEqual(other.policy.tenants[0]?.sites[0]?.values, {});
});

test('resolvePolicy() adds sites that only have set limits while setting them is allowed', () => {
  const own = { tenant: shop(['cpu.limit', half]) };
  const sitesOf = (body: string, set: SetSiteLimits = own) => {
    const { policy, messages } = resolve(body, [[5001, set]]);
    assert.deepEqual(messages, []);
    return policy.tenants
      .find(({ uid }) => uid === 5001)
      ?.sites.map(({ name, values }) => [name, values]);
  };
  const found = [['shop.example', { 'cpu.limit': half }]];
  assert.deepEqual(sitesOf(`<tenant uid="5001">${allowed}</tenant>`), found);
  assert.deepEqual(sitesOf(`<tenant uid="5001"><site name="b.example"/>${allowed}</tenant>`), [
    ['b.example', {}],
    ...found,
  ]);
  assert.deepEqual(sitesOf('<tenant uid="5001"/>'), []);
  const { policy } = resolve('<tenant uid="5001"/>', [[5001, own]]);
  assert.deepEqual(
    policy.tenants[0]?.withdrawnSites?.map(({ name, values, own: set }) => [
      name,
      values,
      set?.map(({ state }) => state),
    ]),
    [['shop.example', {}, ['withdrawn']]],
  );
  const owned = (setters: string) =>
    `<defaults><sites limits="${setters}"/></defaults><reseller uid="4000"><tenant uid="5001"/></reseller>`;
  const both = {
    ...own,
    reseller: { uid: 4000, sites: new Map([['r.example', set(['cpu.limit', half])]]) },
  };
  const made = resolve(owned('reseller tenant'), [[5001, both]]).policy.tenants[0]?.sites;
  assert.deepEqual(
    made?.map(({ madeBy }) => madeBy),
    ['reseller', 'tenant'],
  );
  const names = (setters: string) => sitesOf(owned(setters), both)?.map(([name]) => name);
  assert.deepEqual(names('reseller tenant'), ['r.example', 'shop.example']);
  assert.deepEqual(names('reseller'), ['r.example']);
  assert.deepEqual(names('tenant'), ['shop.example']);
});

test('resolvePolicy() applies set limits to tenants from a range of uids', () => {
  const { document } = parsePolicy(
    'p.xml',
    `<bulkhead version="1"><tenants uids="5000-5999"/><defaults>${allowed}</defaults></bulkhead>`,
  );
  assert.ok(document);
  const accounts = [5001, 5002].map((uid) => ({ user: `t${uid}`, uid, gid: uid, home: '/' }));
  const siteLimits = new Map([[5001, { tenant: shop(['cpu.limit', half]) }]]);
  const { tenants } = resolvePolicy(document, { accounts, uidMin: 1000, siteLimits });
  assert.deepEqual(
    tenants.map(({ sites }) => sites.map(({ own }) => own?.map(({ by, state }) => [by, state]))),
    [[[['t5001', 'in force']]], []],
  );
});

test('resolvePolicy() does not warn about limits that a tenant has set', () => {
  const own = shop(['cpu.limit', 9 as CpuFraction], ['memory.limit', megabytes(4)]);
  const body = `<tenant uid="5001">${allowed}<cpu limit="100%"/>${site()}</tenant>`;
  assert.deepEqual(resolve(body, [[5001, { tenant: own }]]).messages, []);
});

test('exceeds() returns the limit of the tenant when the value is above it', () => {
  const tenant = { 'cpu.limit': 1 as CpuFraction, 'memory.limit': megabytes(100) };
  assert.equal(exceeds('cpu.limit', half, tenant), undefined);
  assert.equal(exceeds('cpu.limit', 1 as CpuFraction, tenant), undefined);
  assert.equal(exceeds('cpu.limit', 1.01 as CpuFraction, tenant), '100%');
  assert.equal(exceeds('memory.limit', 'unlimited', tenant), '100MiB');
  assert.equal(exceeds('memory.soft', 'unlimited', tenant), undefined);
  // A tenant without a resource leaves its sites none of it.
  assert.equal(exceeds('memory.swap', megabytes(1), tenant), '0B');
  assert.equal(exceeds('memory.guaranteed', megabytes(1), tenant), '0B');
  assert.equal(exceeds('cpu.weight', 10_000 as Quantity, tenant), undefined);
});
