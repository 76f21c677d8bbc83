/** How exactly network rules are held, in words. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { heldParts, type HeldFacts } from '../../src/network/core/held.ts';
import type { Listen, NetworkRules, Reach } from '../../src/network/core/rules.ts';

const reach: Reach = {
  mail: 'submission',
  tenants: false,
  metadata: false,
  rules: [],
  others: 'allow',
  mode: 'refuse',
};
const listen: Listen = { ports: [{ first: 7001, last: 7010 }], public: false, mode: 'refuse' };
const rules: NetworkRules = {
  tenants: [{ uid: 1, limits: { send: 1e6, receive: 1e6, connections: 5 }, reach, listen }],
  resellers: new Map(),
  ranges: [],
  servedPorts: new Map(),
};
const facts: HeldFacts = {
  failure: undefined,
  sending: { support: 'full', reason: 'fq on eth0' },
  unreserved: '',
};
const supports = (some: Partial<HeldFacts>, of = rules) =>
  heldParts(of, { ...facts, ...some }).map(({ part, support }) => `${part} ${support}`);

describe('heldParts()', () => {
  test('has what the policy has, and no more', () => {
    assert.deepEqual(supports({}), [
      'network send full',
      'network receive partial',
      'network connections full',
      'reach full',
      'listen full',
    ]);
    const none = { ...rules, tenants: [{ uid: 1, limits: {} }] };
    assert.deepEqual(supports({}, none), []);
    const resellers = new Map([['acme', { send: 1e6 }]]);
    assert.deepEqual(supports({}, { ...none, resellers }), ['network send full']);
  });

  test('programs that cannot be relied on hold nothing', () => {
    const held = heldParts(rules, { ...facts, failure: 'they were removed' });
    assert.ok(held.every(({ support, reason }) => support === 'none' && /removed/.test(reason)));
    assert.equal(held.length, 5);
  });

  test('ports that a program can get by chance, and unknown ones, are said', () => {
    const listens = (unreserved: string | undefined) =>
      heldParts(rules, { ...facts, unreserved }).at(-1)?.reason ?? '';
    assert.match(listens('7001-7010'), /^7001-7010 are not in net\.ipv4\.ip_local_reserved_ports/);
    assert.match(listens(undefined), /unknown/);
  });

  test('a policy that only watches refuses nothing', () => {
    const watched = {
      ...rules,
      tenants: [{ uid: 1, limits: {}, reach: { ...reach, mode: 'watch' } as const }],
    };
    assert.deepEqual(supports({}, watched), ['reach none']);
  });
});
