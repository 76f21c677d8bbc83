import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDiagnostic, LineIndex } from '../../src/policy/diagnostic.ts';
import { explain } from '../../src/policy/explain.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { findTenant, observesLimits } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const account = (user: string, uid: number) => ({ user, uid, gid: uid, home: `/home/${user}` });
const accounts = [account('alice', 1001), account('acme', 1002), account('bob', 1003)];

const text = (host: string) => `<bulkhead version="1">${host}
  <defaults><cpu limit="100%"/><disk space="1GiB"/><entries limit="20"/></defaults>
  <reseller user="acme"><memory limit="4GiB"/><tenant user="bob"/></reseller>
  <tenant user="alice"><site name="shop.example"><cpu limit="50%"/></site></tenant>
</bulkhead>`;

function resolve(host: string) {
  const { document, diagnostics } = parsePolicy('p.xml', text(host));
  assert.ok(document);
  const policy = resolvePolicy(document, { accounts, uidMin: 1000 });
  return { policy, said: diagnostics.list.map(formatDiagnostic) };
}

test('resolvePolicy() gives nobody a limit in force when limits are only observed', () => {
  const { policy, said } = resolve('<host limits="observe"/>');
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /p\.xml:1:\d+: warning: Limits are only observed/);
  const alice = findTenant(policy, 'alice');
  const sites = alice?.sites ?? [];
  for (const each of [...policy.tenants, ...policy.resellers, ...sites])
    assert.deepEqual(each.values, {});
  assert.deepEqual(policy.defaults, {});
  assert.equal(alice?.observed?.['cpu.limit'], 1);
  assert.equal(sites[0]?.observed?.['cpu.limit'], 0.5);
  assert.equal(policy.resellers[0]?.observed?.['memory.limit'], 4 * 2 ** 30);
});

test('resolvePolicy() enforces limits unless the policy says otherwise', () => {
  for (const host of ['', '<host limits="enforce"/>']) {
    const { policy, said } = resolve(host);
    assert.deepEqual(said, []);
    assert.equal(observesLimits(policy), false);
    assert.equal(findTenant(policy, 'alice')?.values['cpu.limit'], 1);
  }
  assert.match(resolve('<host limits="watch"/>').said.join('\n'), /not one of enforce, observe/);
});

test('explain() shows observed limits, and that they are only observed', () => {
  const { policy } = resolve('<host limits="observe"/>');
  const tenant = findTenant(policy, 'bob');
  assert.ok(tenant);
  const lines = new LineIndex(policy.text);
  const explained = explain({ tenant, site: undefined }, policy, lines);
  assert.equal(explained.observed, true);
  const value = (limit: string) => explained.limits.find((each) => each.limit === limit);
  assert.equal(value('cpu limit')?.value, '100%');
  assert.equal(value('cpu limit')?.line, 2);
  assert.equal(value('memory limit')?.bound, '4GiB');
});
