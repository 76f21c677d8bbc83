/** Counts of mail as the agent has them: of tenants with a jail only, and of nobody who had the uid before. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { pathsOf } from '../../src/host/paths.ts';
import { mailPart, parseMailCount, readMailCount } from '../../src/jail/io/mail-part.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const runtime = suiteDirectory('mail');
const paths = { ...pathsOf('bulkhead-mail-test'), runtime };
for (const each of ['jail/tenants', 'broker-mail'])
  mkdirSync(`${runtime}/${each}`, { recursive: true });
const jailed = (uid: number) => writeFileSync(`${runtime}/jail/tenants/${uid}`, 'profile web\n');
const counted = (uid: number, text: string) => writeFileSync(`${runtime}/broker-mail/${uid}`, text);

test('readMailCount() returns undefined when the tenant has no jail, whatever was counted', () => {
  counted(1001, '1700000000 4 1 alice\n');
  assert.equal(readMailCount(paths, 1001), undefined);
  writeFileSync(`${runtime}/jail/tenants/1001-shop.example`, 'profile web\n');
  assert.equal(readMailCount(paths, 1001), undefined);
  jailed(1001);
  assert.deepEqual(readMailCount(paths, 1001), {
    since: 1_700_000_000_000,
    accepted: 4,
    refused: 1,
  });
  assert.equal(readMailCount(paths, 1001, ['al', 'alice'])?.accepted, 4);
  jailed(1002);
  assert.deepEqual(readMailCount(paths, 1002), { accepted: 0, refused: 0 });
});

test('readMailCount() returns undefined, and never zero, for a count that it cannot read', () => {
  jailed(1005);
  for (const text of ['', '1700000000 4 1 2 alice\n', '2 1700000000 4 1 alice']) {
    counted(1005, text);
    assert.equal(readMailCount(paths, 1005), undefined, text);
    assert.equal(mailPart(paths).mail?.(1005, 0), undefined, text);
  }
  mkdirSync(`${runtime}/broker-mail/1006`);
  jailed(1006);
  assert.equal(readMailCount(paths, 1006), undefined, 'a directory');
});

test("readMailCount() returns no count of the uid's earlier account", () => {
  jailed(1004);
  counted(1004, '1700000000 4 1 alice\n');
  assert.deepEqual(readMailCount(paths, 1004, ['bob']), { accepted: 0, refused: 0 });
});

test('mailPart() resets the count when a new tenant has the uid of an earlier one', () => {
  jailed(1003);
  counted(1003, '1700000000 4 1 alice\n');
  const part = mailPart(paths);
  assert.equal(part.mail?.(1003, 1_699_999_999_000)?.accepted, 4);
  assert.equal(part.mail?.(1003, 1_700_000_000_000)?.accepted, 4);
  assert.deepEqual(part.mail?.(1003, 1_700_000_000_500), { accepted: 0, refused: 0 });
  assert.ok(!existsSync(`${runtime}/broker-mail/1003`));
});

test('parseMailCount() returns undefined for text that the broker does not write', () => {
  for (const text of [
    '',
    '1 2 3 a',
    '1 2 3\n',
    '1 2 a\n',
    '1 -2 3 a\n',
    'x',
    '1 2 3 a\n\n',
    '1 2 3 a b\n',
    `${'9'.repeat(13)} 1 1 a\n`,
  ])
    assert.equal(parseMailCount(text), undefined, text);
});
