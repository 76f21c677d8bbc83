/** Mail counted from Exim's main log, which tenants write to by what they send. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { mustEnd } from '../../../testing/patience.ts';
import { eximSubmitter } from '../../../src/network/core/exim-log.ts';
import { journalEntry } from '../../../src/network/core/postfix-journal.ts';
import { MailCounts } from '../../../src/network/io/mail/mail-counts.ts';

const head = '2026-12-01 08:00:00 1vQ8Xb-0000000EXXX-2pXy <=';
const mailOf = (user: string) => `${head} ${user}@host.example U=${user} P=local S=435\n`;

suite("accounts in Exim's main log", () => {
  test('messages of programs on this host are found', () => {
    for (const line of [
      mailOf('alice'),
      `2026-12-01 08:00:00.123 +0100 [4711] 1abcde-000123-XY <= <> R=1vQ8Xb-000001-AB U=alice P=local S=1 T="x"`,
      `${head} "a b U=bob P=local "@host.example U=alice P=local S=1`,
      `${head} "\\" U=bob P=local S=1"@x U=alice P=local-esmtp S=1`,
    ])
      assert.equal(eximSubmitter(line), 'alice', line);
  });

  test('other lines, and what only looks like it, are not', () => {
    for (const line of [
      `${head} x@far.example H=(U=alice) [192.0.2.1] P=esmtp S=1`,
      `${head} x@far.example H=localhost [127.0.0.1] U=alice P=esmtp S=1`,
      `${head} x@far.example P=local U=alice S=1`,
      '2026-12-01 08:00:00 1vQ8Xb-0000000EXXX-2pXy => bob <bob@host> R=local_user T=mail_spool',
      `2026-12-01 08:00:00 SMTP syntax error "${mailOf('alice').trim()}"`,
      `${head} "unfinished U=alice P=local S=1`,
      '',
    ])
      assert.equal(eximSubmitter(line), undefined, line);
  });

  test('a hostile line costs no more than its length', () => {
    mustEnd(() => eximSubmitter(`${head} "${'\\"'.repeat(30_000)} U=a P=local`));
  });
});

test("accounts in Postfix's lines of the journal", () => {
  const entry = (MESSAGE: unknown, SYSLOG_IDENTIFIER: unknown = 'postfix/pickup') =>
    journalEntry(JSON.stringify({ __CURSOR: 's=1', SYSLOG_IDENTIFIER, MESSAGE }))?.uid;
  assert.equal(entry('4B2C1A: uid=1001 from=<alice>'), 1001);
  assert.equal(entry([...Buffer.from('4B2C1A: uid=1001 from=<'), 255]), 1001);
  assert.equal(entry('4B2C1A: uid=1001 from=<alice>', 'postfix/smtpd'), undefined);
  assert.equal(entry('warning: 4B2C1A: uid=1001 from=<alice>'), undefined);
  assert.equal(entry(null), undefined);
  assert.equal(journalEntry('{"MESSAGE":1}'), undefined);
  assert.equal(journalEntry('x'), undefined);
});

/** Reads no journal: there is no account of Postfix's. */
const countsOf = (...logs: readonly string[]) => new MailCounts({ etc: '/none' }, logs);

suite('mail counted from a log that is rotated', () => {
  /** A log in a directory of its own, with a message from before. */
  class Log implements Disposable {
    readonly directory = mkdtempSync(join(tmpdir(), 'bulkhead-mails-'));
    readonly path = `${this.directory}/mainlog`;

    constructor() {
      writeFileSync(this.path, mailOf('alice'));
    }

    [Symbol.dispose](): void {
      rmSync(this.directory, { recursive: true });
    }
  }

  test('only what comes counts, whole lines only, each once', () => {
    using log = new Log();
    using counts = countsOf(`${log.directory}/none`, log.path);
    assert.equal(counts.messages('alice', 0), 0);
    appendFileSync(log.path, mailOf('alice') + mailOf('bob').slice(0, 30));
    void counts.read();
    assert.deepEqual([counts.messages('alice', 0), counts.messages('bob', 0)], [1, 0]);
    appendFileSync(log.path, mailOf('bob').slice(30));
    void counts.read();
    void counts.read();
    assert.deepEqual([counts.messages('alice', 0), counts.messages('bob', 0)], [1, 1]);
  });

  test('a renamed file is read to its end, then the new one from its beginning', () => {
    using log = new Log();
    using counts = countsOf(log.path);
    renameSync(log.path, `${log.path}.1`);
    appendFileSync(`${log.path}.1`, mailOf('alice'));
    void counts.read();
    appendFileSync(`${log.path}.1`, mailOf('alice'));
    writeFileSync(log.path, mailOf('alice'));
    void counts.read();
    assert.equal(counts.messages('alice', 0), 3);
    // Compressed at once: the old file has no name any more.
    appendFileSync(log.path, mailOf('alice'));
    unlinkSync(log.path);
    writeFileSync(log.path, mailOf('alice'));
    void counts.read();
    assert.equal(counts.messages('alice', 0), 5);
  });

  test('a file that is copied and cut goes on', () => {
    using log = new Log();
    using counts = countsOf(log.path);
    appendFileSync(log.path, mailOf('alice'));
    void counts.read();
    copyFileSync(log.path, `${log.path}.1`);
    truncateSync(log.path);
    void counts.read();
    appendFileSync(log.path, mailOf('alice'));
    void counts.read();
    assert.equal(counts.messages('alice', 0), 2);
  });

  test('a log that comes later counts from its beginning; without any, nothing is known', () => {
    using log = new Log();
    unlinkSync(log.path);
    using counts = countsOf(log.path);
    assert.equal(counts.messages('alice', 0), undefined);
    writeFileSync(log.path, mailOf('alice'));
    void counts.read();
    assert.equal(counts.messages('alice', 0), 1);
  });

  test('a link in place of the log is not followed', () => {
    using log = new Log();
    writeFileSync(`${log.directory}/other`, '');
    unlinkSync(log.path);
    symlinkSync('other', log.path);
    using counts = countsOf(log.path);
    appendFileSync(`${log.directory}/other`, mailOf('alice'));
    void counts.read();
    assert.equal(counts.messages('alice', 0), undefined);
  });

  test('endless lines take no memory, and hide none that follow', () => {
    using log = new Log();
    using counts = countsOf(log.path);
    for (let part = 0; part < 4; part++) {
      appendFileSync(log.path, 'x'.repeat(3 * 2 ** 20));
      void counts.read();
    }
    appendFileSync(log.path, `${mailOf('bob')}${mailOf('alice')}`);
    void counts.read();
    void counts.read();
    assert.deepEqual([counts.messages('alice', 0), counts.messages('bob', 0)], [1, 0]);
  });

  test('more than is read at once comes with the next calls', () => {
    using log = new Log();
    using counts = countsOf(log.path);
    appendFileSync(log.path, mailOf('alice').repeat(100_000));
    for (let calls = 0; calls < 5; calls++) void counts.read();
    assert.equal(counts.messages('alice', 0), 100_000);
  });
});
