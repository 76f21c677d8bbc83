/** Alerts by mail: an SMTP server and a sendmail on this host, also with hostile account names. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isMailAddress } from '../../src/agent/alerts/receiver.ts';
import type { Member } from '../../src/usage/member.ts';
import { eventually } from '../../testing/patience.ts';
import {
  considered,
  directory,
  mailServer,
  make,
  noon,
  parseMail,
  recordingSendmail,
  ruleOf,
  shown,
  whoOf,
} from './alerts-stage.ts';

describe('Alerts by mail', () => {
  test('sends cause, count, advice and how to change the rule by SMTP', async () => {
    await using server = await mailServer();
    await using made = make([ruleOf()], { smtp: server.smtp });
    made.alerts.consider(noon, [considered()]);
    await eventually('the mail', () => server.mails.length === 1);
    const [mail] = server.mails;
    assert.equal(mail?.from, 'bulkhead@example.org');
    assert.deepEqual(mail?.to, ['ops@example.org']);
    assert.match(
      shown(mail?.headers.get('subject')),
      /^Bulkhead on \S+: t1001 was throttled 5 times at its CPU limit$/,
    );
    assert.equal(mail?.headers.get('auto-submitted'), 'auto-generated');
    assert.match(mail?.headers.get('content-type') ?? '', /^text\/plain; charset=utf-8/);
    assert.ok(Number.isFinite(Date.parse(mail?.headers.get('date') ?? '')));
    assert.match(mail?.headers.get('message-id') ?? '', /^<[0-9a-f]{32}\.bulkhead@\S+>$/);
    assert.match(mail?.body ?? '', /bulkhead set t1001 cpu=150%/);
    assert.match(
      mail?.body.replace(/\s+/g, ' ') ?? '',
      /sent at most once every 12h.*edit the rules in <alerts>/,
    );
    assert.ok(mail?.body.split('\n').every((line) => line.length <= 76));
    await eventually('the ledger', () => made.ledger.sent.size === 1);
    assert.deepEqual([...made.ledger.sent.values()], [noon]);
  });

  test('encrypts SMTP when the server offers it, without checking the certificate', async () => {
    await using server = await mailServer();
    const { port } = server.smtp;
    for (const host of ['127.0.0.1', '::ffff:127.0.0.1']) {
      await using made = make([ruleOf()], { smtp: { host, port } });
      const [result] = await made.alerts.test();
      assert.deepEqual(result, { to: 'administrator by mail: ops@example.org', ok: true });
    }
    // Mail to this host itself need not be encrypted.
    assert.deepEqual(server.encrypted, [false, true]);
  });

  test("runs sendmail with two addresses and without the agent's environment", async () => {
    const sendmail = recordingSendmail('plain');
    process.env['SECRET_OF_THE_AGENT'] = 'x';
    await using made = make([ruleOf({ address: undefined })], {}, { sendmail: sendmail.path });
    made.alerts.consider(noon, [considered()]);
    await eventually('the mail', () => sendmail.files('.done').length === 1);
    await eventually('the ledger', () => made.ledger.sent.size === 1);
    assert.deepEqual(sendmail.files('.args'), ['-i\n-f\nbulkhead@example.org\nroot\n']);
    assert.deepEqual(sendmail.files('.pwd'), ['/\n']);
    assert.doesNotMatch(sendmail.files('.env').join(''), /SECRET_OF_THE_AGENT/);
    const mail = parseMail('', [], sendmail.files('.done')[0] ?? '');
    assert.match(mail.headers.get('to') ?? '', /^<?root>?$/);
    assert.match(mail.headers.get('from') ?? '', /^Bulkhead <bulkhead@example\.org>$/);
    delete process.env['SECRET_OF_THE_AGENT'];
  });

  test('runs sendmail again when it fails, and not after it succeeded', async () => {
    const marker = join(directory, 'failed-once');
    const sendmail = recordingSendmail(
      'fails',
      `[ -e ${marker} ] || { : >${marker}; echo "queue is full" >&2; exit 75; }`,
    );
    await using made = make([ruleOf()], {}, { sendmail: sendmail.path });
    made.alerts.consider(noon, [considered()]);
    await eventually('the second attempt', () => made.ledger.sent.size === 1);
    assert.equal(sendmail.files('.done').length, 2);
    assert.match(made.log.join('\n'), /exit status 75: queue is full; retrying in/);
    const ids = sendmail
      .files('.done')
      .map((each) => parseMail('', [], each).headers.get('message-id'));
    assert.equal(new Set(ids).size, 1);
  });

  test('reports that sendmail is missing', async () => {
    await using made = make([ruleOf()], {}, { sendmail: join(directory, 'none') });
    const [result] = await made.alerts.test();
    assert.equal(result?.ok, false);
    assert.match(result?.problem ?? '', /does not exist; install a mail server/);
  });

  test('ends a sendmail that hangs', async () => {
    const sendmail = recordingSendmail('hangs', 'exec sleep 1000');
    await using made = make(
      [ruleOf()],
      {},
      { sendmail: sendmail.path, timing: { sendMilliseconds: 300 } },
    );
    const [result] = await made.alerts.test();
    assert.equal(result?.ok, false);
    assert.match(result?.problem ?? '', /took too long/);
  });
});

/** Names that would be an option, another line, another receiver, a file or a program. */
const hostile = [
  'x\r\nBcc: victim@example.org',
  'x\nBcc: victim@example.org\n\nbody',
  '-oQ/tmp/x',
  '-t',
  'a,victim@example.org',
  'victim@example.org',
  '<victim@example.org>',
  '|/bin/sh',
  '/etc/passwd',
  ':include:/etc/shadow',
  'a b',
  '"',
  '$&',
  '%u',
  'ü\u202e',
  '',
];

describe('Alerts with hostile account names', () => {
  test('sends to no address made from such a name', async () => {
    const sendmail = recordingSendmail('hostile');
    for (const account of hostile) {
      const who = (member: Member) => whoOf(member, { account, reseller: account, name: account });
      const rules = [
        ruleOf({ to: 'tenant', address: undefined }),
        ruleOf({ to: 'tenant', address: '%u@example.org' }),
        ruleOf({ to: 'reseller', address: undefined }),
      ].filter((rule) => !(account === 'victim@example.org' && rule.address === undefined));
      await using made = make(rules, {}, { sendmail: sendmail.path, who });
      made.alerts.consider(noon, [considered()]);
      await made.alerts[Symbol.asyncDispose]();
      for (const line of made.log) assert.match(line, /^[\u0020-\u007e…ü]*$/u);
    }
    assert.deepEqual(sendmail.files('.args'), []);
    assert.ok(!isMailAddress('a@b\n') && !isMailAddress('a@-b') && !isMailAddress('a@b c'));
  });

  test('adds no header line, and no control character to the text', async () => {
    await using server = await mailServer();
    for (const [index, name] of hostile.entries()) {
      const who = (member: Member) => whoOf(member, { name, account: name });
      await using made = make([ruleOf()], { smtp: server.smtp }, { who });
      made.alerts.consider(noon, [considered({ from: name, value: name })]);
      await made.alerts[Symbol.asyncDispose]();
      const mail = server.mails[index];
      const names = mail?.headerLines.map((line) => line.split(':')[0]?.toLowerCase()).sort();
      assert.deepEqual(names, [
        'auto-submitted',
        'content-transfer-encoding',
        'content-type',
        'date',
        'from',
        'message-id',
        'mime-version',
        'subject',
        'to',
      ]);
      assert.deepEqual(mail?.to, ['ops@example.org']);
      assert.doesNotMatch(shown(mail?.headers.get('subject')), /[\p{Cc}\u202e]/u);
      assert.doesNotMatch(mail?.body.replaceAll('\n', '') ?? '', /[\p{Cc}\u202e]/u);
    }
  });
});
