/** The agent's count of mail, for tenants that come and go. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { formatMailCount } from '../../../src/cli/shared/format.ts';
import { MailCounts } from '../../../src/network/io/mail/mail-counts.ts';
import { MailLogPart } from '../../../src/network/io/mail/mail-log-part.ts';
import type { Policy } from '../../../src/policy/policy.ts';

const policyOf = (...users: readonly (readonly [user: string, uid: number])[]) =>
  ({ tenants: users.map(([user, uid]) => ({ uid, account: { user, uid } })) }) as unknown as Policy;

suite('mail of tenants by the log of the mail server', () => {
  test('a tenant has what it sent; a later one of the same account begins at zero', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'bulkhead-mails-'));
    const log = `${directory}/mainlog`;
    const send = () =>
      appendFileSync(
        log,
        '2026-12-01 08:00:00 1vQ8Xb-0000000EXXX-2pXy <= a@b U=alice P=local S=4\n',
      );
    try {
      writeFileSync(log, '');
      const counts = new MailCounts({ etc: '/none' }, [log]);
      await using part = new MailLogPart(counts);
      assert.equal(part.mail(1001, 0), undefined, 'no policy has named it');
      part.adopt(policyOf(['alice', 1001], ['bob', 1002]));
      send();
      send();
      await counts.read();
      assert.equal(part.mail(1001, 0)?.accepted, 2);
      assert.equal(part.mail(1002, 0)?.accepted, 0);
      const later = Date.now() + 1;
      assert.deepEqual(part.mail(1001, later)?.accepted, 0);
      send();
      await counts.read();
      assert.equal(part.mail(1001, 0)?.accepted, 1);
      assert.match(formatMailCount(part.mail(1001, 0)!), /^1 message accepted, since /);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('without a log nothing is known', async () => {
    await using part = new MailLogPart(new MailCounts({ etc: '/none' }, ['/none/mainlog']));
    part.adopt(policyOf(['alice', 1001]));
    assert.equal(part.mail(1001, 0), undefined);
  });
});
