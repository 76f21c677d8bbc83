/** A quota is lifted for a reason in the policy, and for no other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wantedQuotas, type QuotaContext } from '../../src/plan/quota.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const accounts = [{ user: 'alice', uid: 1000, gid: 1000, home: '/home/alice' }];
const before = { space: { hard: 5_120, soft: 4_096 } };
const place = { uid: 1000, mountPoint: '/home', before };

function wanted(body: string, quotaMountOf: QuotaContext['quotaMountOf']) {
  const { document } = parsePolicy('test.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document);
  const policy = resolvePolicy(document, { accounts, uidMin: 1000 });
  return wantedQuotas(policy, { quotaMountOf, alreadySet: [place] });
}

const limited = '<tenant user="alice"><disk space="1MiB"/></tenant>';

test('wantedQuotas() leaves a quota when its file system is not found', () => {
  assert.deepEqual(
    wanted(limited, () => undefined),
    { quotas: [], quotasLeft: [place] },
  );
});

test('wantedQuotas() leaves the old quota and sets a new one when the home has moved', () => {
  const { quotas, quotasLeft } = wanted(limited, () => '/');
  assert.deepEqual(
    quotas.map((each) => [each.mountPoint, each.spaceBytes]),
    [['/', 2 ** 20]],
  );
  assert.deepEqual(quotasLeft, [place]);
});

test('wantedQuotas() restores the earlier quota when the limit left the policy', () => {
  for (const body of ['', '<tenant user="alice"/>']) {
    const { quotas, quotasLeft } = wanted(body, () => '/home');
    assert.deepEqual(quotas, [
      {
        uid: 1000,
        mountPoint: '/home',
        label: 'uid 1000',
        spaceBytes: 5_120,
        files: 'kept',
        held: [],
      },
    ]);
    assert.deepEqual(quotasLeft, []);
  }
});

test('wantedQuotas() keeps foreign values, and restores those no longer set', () => {
  const of = (disk: string) => {
    const [quota] = wanted(`<tenant user="alice"><disk ${disk}/></tenant>`, () => '/home').quotas;
    return quota && [quota.spaceBytes, quota.files, quota.held];
  };
  assert.deepEqual(of('space="1MiB"'), [2 ** 20, 'kept', ['space']]);
  assert.deepEqual(of('files="20"'), [5_120, 20, ['files']]);
  assert.deepEqual(of('space="unlimited" files="20"'), [undefined, 20, ['space', 'files']]);
});
