/** Faults of tenants that had to be stopped to be placed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { haltFaults } from '../../src/agent/sampling/halt-fault.ts';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

function indexOf(head: string) {
  const text = `<bulkhead version="1">${head}<tenant uid="1001"/></bulkhead>`;
  const { document } = parsePolicy('p.xml', text);
  assert.ok(document);
  return new MemberIndex(resolvePolicy(document, { accounts: [], uidMin: 1000 }));
}

const limit = '<defaults><processes limit="20"/></defaults>';

test('haltFaults() reports the processes limit of a tenant if it is in force', () => {
  const [fault, ...others] = haltFaults(1001, indexOf(limit));
  assert.deepEqual(
    [fault?.member, fault?.limit, fault?.severity],
    ['u1001', 'processes.limit', 'refused'],
  );
  assert.deepEqual(others, []);
});

test('haltFaults() reports no limit that is only observed, is not set, or belongs to nobody', () => {
  assert.deepEqual(haltFaults(1001, indexOf(`<host limits="observe"/>${limit}`)), []);
  assert.deepEqual(haltFaults(1001, indexOf('')), []);
  assert.deepEqual(haltFaults(1002, indexOf(limit)), []);
});
