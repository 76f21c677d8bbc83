import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkRules } from '../../src/network/core/policy-rules.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import type { HostFacts } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const acme = { user: 'acme', uid: 4000, gid: 4000, home: '/home/acme' };
const facts: HostFacts = { accounts: [acme], uidMin: 1000 };
const around = {
  ranges: [[100_000, 165_535, 1001]] as const,
  servedPorts: new Map([[9001, 1001]]),
};

function rulesOf(body: string) {
  const { document, diagnostics } = parsePolicy(
    'p.xml',
    `<bulkhead version="1">${body}</bulkhead>`,
  );
  assert.ok(document && !diagnostics.failed);
  return networkRules(resolvePolicy(document, facts), around);
}

test('networkRules() returns nothing for a policy that does not mention the network', () => {
  assert.equal(rulesOf('<tenant uid="1001"><cpu limit="50%"/></tenant>'), undefined);
  assert.equal(rulesOf('<tenant uid="1001"><network send="unlimited"/></tenant>'), undefined);
});

test('networkRules() has all tenants, the limits of resellers, and what it was given', () => {
  const rules = rulesOf(`
    <defaults><network send="10MiB/s" receive="unlimited"/></defaults>
    <reseller user="acme"><network send="20MiB/s" connections="100/s"/><tenant uid="1001"/></reseller>
    <reseller uid="4001"><tenant uid="1002"><network connections="5/s"/></tenant></reseller>
    <tenant uid="1003"><network send="unlimited"/><listen public="yes"/></tenant>`);
  assert.deepEqual(rules, {
    tenants: [
      { uid: 1001, limits: { send: 10 * 2 ** 20 }, reseller: 'acme' },
      { uid: 1002, limits: { send: 10 * 2 ** 20, connections: 5 } },
      { uid: 1003, limits: {}, listen: { ports: [], public: true, mode: 'refuse' } },
    ],
    resellers: new Map([['acme', { send: 20 * 2 ** 20, connections: 100 }]]),
    ...around,
  });
});

test('networkRules() has rules for tenants when only a reseller has a limit', () => {
  const rules = rulesOf(
    '<reseller uid="4001"><network send="1MiB/s"/><tenant uid="1002"/></reseller><tenant uid="1003"/>',
  );
  assert.deepEqual(rules?.tenants, [
    { uid: 1002, limits: {}, reseller: 'uid 4001' },
    { uid: 1003, limits: {} },
  ]);
});

test('networkRules() makes one <reach> for all tenants that inherit it', () => {
  const rules =
    rulesOf(`<defaults><reach><refuse address="10.0.0.0/8" reason="ours"/></reach></defaults>
    <tenant uid="1001"/><tenant uid="1002"/>`);
  const [one, other] = rules?.tenants ?? [];
  assert.ok(one?.reach !== undefined && one.reach === other?.reach);
  assert.deepEqual(one.reach.rules, [
    {
      action: 'refuse',
      address: Uint8Array.of(10, 0, 0, 0),
      prefix: 8,
      ports: [],
      protocol: undefined,
    },
  ]);
});

test('networkRules() has no limits that are only observed, and <reach> all the same', () => {
  const rules = rulesOf(
    '<host limits="observe"/><tenant uid="1001"><network send="1MiB/s"/></tenant><tenant uid="1002"><reach/></tenant>',
  );
  assert.deepEqual(
    rules?.tenants.map(({ limits, reach }) => [limits, reach?.mode]),
    [
      [{}, undefined],
      [{}, 'refuse'],
    ],
  );
});
