/** Limits of sites are kept in a file with the owner who set them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attributes } from '../../src/limits/limits.ts';
import { isSameOwner } from '../../src/policy/accounts/uid-owner.ts';
import { parseLimit } from '../../src/policy/parse-limit.ts';
import {
  areSameOwners,
  parseSiteLimits,
  formatSiteLimits,
  tenantCannotSet,
  tenantLimits,
} from '../../src/policy/sites/site-limits.ts';
import { half, set, shop } from './site-limit-values.ts';

test('parseSiteLimits() reads what formatSiteLimits() wrote, and refuses anything else', () => {
  const values = new Map(
    tenantLimits.map((key) => {
      const text = { cpu: '12.5%', bytes: '123457KiB', weight: '77' }[
        String(attributes.get(key)?.kind)
      ];
      const parsed = parseLimit(key, text ?? (key.startsWith('io.r') ? '12345' : '321'));
      return [key, parsed?.ok === true ? parsed.value : 'unlimited'] as const;
    }),
  );
  const kept = { name: 'alice', home: '131.17', sites: new Map([['shop.example', values]]) };
  assert.deepEqual(parseSiteLimits(formatSiteLimits(kept)), kept);
  for (const text of [
    '',
    '[]',
    '{"name":"alice"}',
    '{"name":1,"sites":{}}',
    '{"name":"alice","sites":{"../x":{}}}',
    '{"name":"alice","sites":{"a.example":[]}}',
    '{"name":"alice","sites":{"a.example":{"disk.space":"1GiB"}}}',
    '{"name":"alice","sites":{"a.example":{"cpu.limit":"-1%"}}}',
    '{"name":"alice","sites":{"a.example":{"cpu.limit":50}}}',
    '{"name":"alice","sites":{"a.example":{"toString":"1"}}}',
  ])
    assert.equal(parseSiteLimits(text), undefined, text);
});

test('parseSiteLimits() accepts a site named "__proto__"', () => {
  const kept = { name: 'alice', sites: new Map([['__proto__', set(['cpu.limit', half])]]) };
  assert.deepEqual(parseSiteLimits(formatSiteLimits(kept)), kept);
});

test('tenantCannotSet() reserves disk, entries, network and database limits for the administrator', () => {
  const refused = [...attributes.keys()].filter((key) => tenantCannotSet(key) !== undefined);
  assert.deepEqual(
    [...new Set(refused.map((key) => key.split('.')[0]))],
    ['entries', 'disk', 'network', 'database'],
  );
});

test('isSameOwner() is false when the account has another name or another home', () => {
  const alice = { name: 'alice', home: '1.1' };
  assert.ok(isSameOwner(alice, alice));
  assert.ok(isSameOwner(alice, { name: 'alice' }));
  assert.ok(!isSameOwner(alice, { name: 'bob', home: '1.1' }));
  assert.ok(!isSameOwner(alice, { name: 'alice', home: '1.2' }));
});

test('areSameOwners() is false when the reseller is another one, is added or is missing', () => {
  const alice = { name: 'alice', home: '1.1' };
  const acme = { uid: 4000, name: 'acme', home: '2.1' };
  const kept = { ...alice, reseller: acme };
  assert.ok(areSameOwners(kept, { ...alice, reseller: { uid: 4000, name: 'acme' } }));
  assert.ok(!areSameOwners(kept, alice));
  assert.ok(!areSameOwners(alice, kept));
  assert.ok(!areSameOwners(kept, { ...kept, name: 'bob' }));
  assert.ok(!areSameOwners(kept, { ...alice, reseller: { ...acme, uid: 4001 } }));
  assert.ok(!areSameOwners(kept, { ...alice, reseller: { ...acme, home: '2.2' } }));
  const sites = shop(['cpu.limit', half]);
  assert.deepEqual(parseSiteLimits(formatSiteLimits({ ...kept, sites })), { ...kept, sites });
  for (const reseller of ['4000', { uid: 4000 }, { uid: 1.5, name: 'acme' }, { name: 'acme' }])
    assert.equal(parseSiteLimits(JSON.stringify({ ...alice, reseller, sites: {} })), undefined);
});
