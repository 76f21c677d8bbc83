/** The customers of a host, as the fleet's gate counts them. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

test('a reseller with its own account and tenants is one customer, and any other tenant another', () => {
  const tenants =
    '<reseller uid="1000"><tenant uid="1001"/><tenant uid="1002"/></reseller><tenant uid="1000"/><tenant uid="1003"/>';
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${tenants}</bulkhead>`);
  assert.ok(document);
  const { customers } = new MemberIndex(resolvePolicy(document, { accounts: [], uidMin: 1000 }));
  assert.equal(customers.count, 2);
  const found = (['u1000', 'u1001', 'u1002', 'r1000', 'u1003', 'u1009'] as const).map(
    (each) => customers.find(each).customer,
  );
  assert.deepEqual(found, ['r1000', 'r1000', 'r1000', 'r1000', 'u1003', 'u1009']);
  assert.equal(new MemberIndex().customers.count, 0);
});
