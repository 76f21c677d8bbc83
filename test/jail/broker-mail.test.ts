/** The broker delivers and counts mail of tenants in jails. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { MailCount } from '../../src/agent/api/usage-api.ts';
import { eventually } from '../../testing/patience.ts';
import { skip, launcher, call, BrokerStage, crontab } from './broker-stage.ts';

const stage = new BrokerStage('mail');
const { instance, alice, uids, siteJail, bulkhead, asAlice, inside, mustApply, mail } = stage;

interface Status {
  readonly jails: readonly { readonly uid: number; readonly mail?: MailCount }[];
}
const status = () => JSON.parse(bulkhead('jail', 'status', '--json').stdout) as Status;

describe('mail through bulkhead-broker', { skip }, () => {
  stage.register();

  test('delivers mail with the tenant as sender', async () => {
    const sent = inside(
      '/usr/sbin/sendmail -t -i',
      `To: ${alice}\nSubject: from inside\n\nhello\n.\nmore\n`,
    );
    assert.deepEqual([sent.status, sent.stderr], [0, ''], stage.log);
    await eventually(
      'it is in the mailbox',
      () => mail().includes('from inside'),
      () => stage.log,
    );
    assert.match(mail(), new RegExp(`^From ${alice}`, 'm'));
    assert.match(mail(), /^hello\n\.\nmore$/m);
    await eventually('it is in the log', () =>
      new RegExp(`uid ${uids.alice}: sendmail -t -i: exit status 0, \\d+ bytes`).test(stage.log),
    );
  });

  test('counts accepted and refused mail, and no other commands', () => {
    const counts = () => {
      const row = status().jails.find(({ uid }) => uid === uids.alice);
      assert.ok(row?.mail !== undefined);
      return row.mail;
    };
    const before = counts();
    assert.equal(inside('/usr/sbin/sendmail -t', `To: ${alice}\n\ncounted\n`).status, 0, stage.log);
    assert.equal(inside('/usr/sbin/sendmail -bs', 'x').status, 77);
    assert.equal(inside('/usr/sbin/sendmail -C/etc/passwd', 'x').status, 77);
    inside('crontab -l; crontab -T x');
    const after = counts();
    assert.deepEqual(
      [after.accepted - before.accepted, (after.refused ?? 0) - (before.refused ?? 0)],
      [1, 2],
      stage.log,
    );
    const path = `/run/${instance}/broker-mail`;
    assert.deepEqual([statSync(path).mode & 0o777, statSync(path).uid], [0o700, 0]);
    assert.match(
      bulkhead('jail', 'status').stdout,
      new RegExp(`^Mail of ${alice}: \\d+ messages? accepted, \\d+ refused, since 20`, 'm'),
    );
    // A damaged count begins anew, and stops no mail.
    writeFileSync(`${path}/${uids.alice}`, 'x'.repeat(500));
    assert.equal(inside('/usr/sbin/sendmail -t', `To: ${alice}\n\nagain\n`).status, 0, stage.log);
    const { accepted, refused } = counts();
    assert.deepEqual([accepted, refused], [1, 0], stage.log);
    // So does the count of an account that had the uid before.
    writeFileSync(`${path}/${uids.alice}`, '1700000000 7 7 somebody-else\n');
    assert.deepEqual(counts(), { accepted: 0, refused: 0 });
    assert.equal(inside('/usr/sbin/sendmail -t', `To: ${alice}\n\nmine\n`).status, 0, stage.log);
    const mine = counts();
    assert.deepEqual([mine.accepted, mine.refused], [1, 0], stage.log);
    rmSync(`${path}/${uids.alice}`);
    assert.deepEqual(counts(), { accepted: 0, refused: 0 });
  });

  test('counts all messages that are sent at once', async () => {
    const send = `for i in 1 2 3; do printf 'To: ${alice}\\n\\nx\\n' | /usr/sbin/sendmail -t & done; wait`;
    rmSync(`/run/${instance}/broker-mail/${uids.alice}`, { force: true });
    assert.equal(inside(send).status, 0, stage.log);
    await eventually('all are counted', () => {
      const { mail } = status().jails.find(({ uid }) => uid === uids.alice) ?? {};
      return mail?.accepted === 3 && mail.refused === 0;
    });
  });

  test("sends mail from a site's jail, and refuses crontab and passwd there", async () => {
    mustApply(undefined, siteJail);
    const site = (script: string, input: string) =>
      call(launcher, ['--site', 'shop.example', ...asAlice('/bin/sh', '-c', script)], input);
    const send = (subject: string) =>
      site('/usr/sbin/sendmail -t -i', `To: ${alice}\nSubject: ${subject}\n\nhello\n`);
    assert.deepEqual([send('from a site').status, send('again').stderr], [0, ''], stage.log);
    await eventually('it is in the mailbox', () => mail().includes('from a site'));
    for (const command of ['crontab -', 'crontab -l', 'passwd -S']) {
      const refused = site(command, '1 2 3 4 5 true\n');
      assert.equal(refused.status, 77, command);
      assert.match(refused.stderr, /cannot be run from the jail of a site/);
    }
    assert.equal(crontab(alice), undefined);
    // The socket of its tenant is nowhere inside.
    assert.notEqual(site(`ls /run/${instance}`, '').status, 0);
    mustApply('<jail profile="web" commands="crontab"/>', siteJail);
    const unlisted = send('refused');
    assert.match(unlisted.stderr, /the policy does not list it/);
    mustApply('<jail profile="none"/>', siteJail);
    assert.equal(send('of a tenant without a jail').status, 0, stage.log);
    mustApply();
  });

  test('accepts common sendmail arguments', async () => {
    for (const [index, words] of [
      `-f bounce+x=y.org@example.org ${alice}`,
      `-fme@example.org -F 'Me Myself' ${alice}`,
      `-oi -oem -f '' ${alice}`,
      `-i -FCronDaemon -B8BITMIME -oem ${alice}`,
      `-ti`,
      `-bm -- ${alice}`,
    ].entries()) {
      const { status, stderr } = inside(
        `/usr/sbin/sendmail ${words}`,
        `To: ${alice}\n\nnumber ${index}\n`,
      );
      assert.deepEqual([status, stderr], [0, ''], `${words}: ${stage.log}`);
      await eventually(
        `${words} arrives`,
        () => mail().includes(`number ${index}\n`),
        () => stage.log,
      );
    }
  });

  test('sends nothing when a client is killed in the middle', async () => {
    const script = `(printf 'Subject: half\\n\\nbegin\\n'; sleep 3600) | /usr/sbin/sendmail ${alice} & sleep 0.5; kill -9 $(pgrep -x sendmail || pgrep -f bin/sendmail); pkill -x sleep; true`;
    inside(script);
    await eventually(
      'the broker notices',
      () => stage.log.includes('the client ended early'),
      () => stage.log,
    );
    assert.equal(inside('/usr/sbin/sendmail -t', `To: ${alice}\nSubject: whole\n\nx\n`).status, 0);
    await eventually('another one arrives', () => mail().includes('Subject: whole'));
    assert.doesNotMatch(mail(), /Subject: half/);
  });

  test('refuses endless input', () => {
    const { status, stderr } = inside(`head -c 80000000 /dev/zero | /usr/sbin/sendmail ${alice}`);
    assert.equal(status, 65, stderr);
    assert.match(stderr, /more input than 64 MiB/);
    assert.deepEqual(
      readdirSync(`/var/lib/${instance}/broker`).filter((each) => each.startsWith('input')),
      [],
    );
  });
});
