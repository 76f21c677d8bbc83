/** Plans that the policy does not have, in `doctor` and `panel status`. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { fail, ok } from '../../packages/base/result.ts';
import { panelDoctor } from '../../src/panel/commands/doctor.ts';
import { unknownPlans, unknownPlanText } from '../../src/panel/core/unknown-plans.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import type { HostFacts } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const accounts = ['ann', 'ben'].map((user, index) => {
  const uid = 1001 + index;
  return { user, uid, gid: uid, home: `/home/${user}` };
});

function policyWith(panel: HostFacts['panel'], source = 'auto') {
  const body = `<panel source="${source}"/><package name="gold"/><tenants uids="1001-1099"/>`;
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document);
  const last = new Map([[1001, { uid: 1001, user: 'ann', package: 'gold' }]]);
  return resolvePolicy(document, { accounts, uidMin: 1000, panel, lastPackages: ok(last) });
}

const known = ok({
  source: 'hestia',
  panel: 'HestiaCP',
  from: '/x',
  readAt: 1,
  members: accounts.map(({ uid, user }) => ({ uid, user, plan: { name: 'lost' } })),
} as const);

suite('unknownPlans()', () => {
  test('names accounts, and packages that are kept', async () => {
    const policy = policyWith(known);
    const found = unknownPlans(policy);
    const lost = { plan: 'lost', accounts: ['ann', 'ben'], kept: ['ann'], packages: ['gold'] };
    assert.deepEqual(found, [lost]);
    assert.match(
      unknownPlanText(lost),
      /"lost" \(2 accounts: ann, ben\); .*; for 1 account, lower limits of the last package \(gold\) stay/,
    );
    const report = await panelDoctor({ policy } as Parameters<typeof panelDoctor>[0]);
    assert.equal(report?.remarks.length, 1);
  });

  for (const [what, panel, source] of [
    ['was never read', undefined, 'auto'],
    ['has a damaged record', fail({ reason: 'it is damaged' }), 'auto'],
    ['is another one', known, 'cpapi'],
  ] as const)
    test(`names none, and states no counts, if the panel ${what}`, async () => {
      const policy = policyWith(panel, source);
      assert.equal(policy.tenants[0]?.package, 'gold');
      assert.equal(unknownPlans(policy), null);
      const report = await panelDoctor({ policy } as Parameters<typeof panelDoctor>[0]);
      assert.match(report?.text ?? '', /^not known: .*bulkhead panel sync/);
      assert.deepEqual(report?.remarks, []);
    });
});
