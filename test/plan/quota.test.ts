/** A quota is lifted for a reason in the policy, and for no other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wantedQuotas, type QuotaContext } from '../../src/plan/quota.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const accounts = [{ user: 'alice', uid: 1000, gid: 1000, home: '/home/alice' }];
const place = { uid: 1000, mountPoint: '/home' };

function wanted(body: string, quotaMountOf: QuotaContext['quotaMountOf']) {
  const { document } = parsePolicy('test.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document);
  const policy = resolvePolicy(document, { accounts, uidMin: 1000 });
  return wantedQuotas(policy, { quotaMountOf, alreadySet: [place] });
}

const limited = '<tenant user="alice"><disk space="1MiB"/></tenant>';

test('wantedQuotas() leaves what was set where the file system is not found now', () => {
  assert.deepEqual(
    wanted(limited, () => undefined),
    { quotas: [], quotasLeft: [place] },
  );
});

test('wantedQuotas() leaves what was set where the home is elsewhere now, and sets it there', () => {
  const { quotas, quotasLeft } = wanted(limited, () => '/');
  assert.deepEqual(
    quotas.map((each) => [each.mountPoint, each.spaceBytes]),
    [['/', 2 ** 20]],
  );
  assert.deepEqual(quotasLeft, [place]);
});

test('wantedQuotas() lifts it where the tenant or its disk limit is gone from the policy', () => {
  for (const body of ['', '<tenant user="alice"/>']) {
    const { quotas, quotasLeft } = wanted(body, () => '/home');
    assert.deepEqual(quotas, [
      { ...place, label: 'uid 1000', spaceBytes: undefined, files: undefined },
    ]);
    assert.deepEqual(quotasLeft, []);
  }
});
