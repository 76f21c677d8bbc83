/** Files of `db enable`: the option file, logins, and the system user. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { beforeEach, describe, test } from 'node:test';
import { parseCredentials } from '../../src/database/core/rights/credentials.ts';
import { parseNumbers, parseServers } from '../../src/database/core/rights/record.ts';
import { findWorkerUser } from '../../src/database/io/account.ts';
import { readCredentials } from '../../src/database/io/credentials.ts';
import { nativeHash } from '../../src/database/io/client/native-hash.ts';
import {
  readOptionFile,
  removeOptionFile,
  writeOptionFile,
} from '../../src/database/io/option-file.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const skip = process.getuid?.() === 0 ? false : 'files of root need root';

describe('the option file', { skip }, () => {
  let etc: string;
  beforeEach((t) => {
    etc = testDirectory(t, 'database-etc');
    for (const each of ['mysql', 'mysql/conf.d', 'mysql/mariadb.conf.d'])
      mkdirSync(`${etc}/${each}`);
    writeFileSync(
      `${etc}/mysql/mariadb.cnf`,
      `!includedir ${etc}/mysql/conf.d/\n!includedir ${etc}/mysql/mariadb.conf.d/\n`,
    );
    symlinkSync(`${etc}/mysql/mariadb.cnf`, `${etc}/mysql/my.cnf`);
  });

  const stateOf = () => {
    const read = readOptionFile({ etc });
    return read.ok ? read.value : read.error;
  };

  test('is written into the last directory that the configuration includes, and removed', () => {
    const path = `${etc}/mysql/mariadb.conf.d/zz-bulkhead.cnf`;
    assert.deepEqual(stateOf(), { path, isThere: false });
    assert.ok(writeOptionFile({ etc }).ok);
    assert.match(readFileSync(path, 'utf8'), /^\[mariadbd\]\nuserstat = 1$/m);
    assert.deepEqual(stateOf(), { path, isThere: true });
    assert.ok(writeOptionFile({ etc }).ok);
    assert.ok(removeOptionFile(path).ok);
    assert.ok(!existsSync(path));
  });

  test('is never written where others can write', () => {
    chmodSync(`${etc}/mysql/mariadb.conf.d`, 0o777);
    assert.deepEqual(stateOf(), { path: `${etc}/mysql/conf.d/zz-bulkhead.cnf`, isThere: false });
    chownSync(`${etc}/mysql/conf.d`, 1234, 1234);
    assert.deepEqual(stateOf(), { path: undefined, isThere: false });
    assert.ok(writeOptionFile({ etc }).ok);
  });

  test('goes nowhere that a file of somebody else includes', () => {
    chownSync(`${etc}/mysql/mariadb.cnf`, 1234, 1234);
    assert.deepEqual(stateOf(), { path: undefined, isThere: false });
  });

  test('replaces no file of somebody else, and follows no link', () => {
    const path = `${etc}/mysql/mariadb.conf.d/zz-bulkhead.cnf`;
    writeFileSync(path, '[mariadbd]\n');
    assert.ok(!writeOptionFile({ etc }).ok);
    assert.equal(readFileSync(path, 'utf8'), '[mariadbd]\n');
    writeFileSync(`${etc}/other`, 'kept');
    assert.ok(removeOptionFile(path).ok);
    symlinkSync(`${etc}/other`, path);
    assert.ok(!writeOptionFile({ etc }).ok);
    assert.equal(readFileSync(`${etc}/other`, 'utf8'), 'kept');
  });

  test('the system user is one of the system, and never a customer', () => {
    const paths = { ...pathsOf('bulkhead'), etc };
    writeFileSync(`${etc}/login.defs`, 'UID_MIN 1000\n');
    const find = (line: string) => {
      writeFileSync(`${etc}/passwd`, `root:x:0:0::/root:/bin/sh\n${line}\n`);
      return findWorkerUser(paths);
    };
    assert.deepEqual(find('alice:x:1000:1000::/home/alice:/bin/sh'), {
      ok: true,
      value: undefined,
    });
    assert.ok(find('bulkhead-db:x:998:998::/:/usr/sbin/nologin').ok);
    for (const uid of [0, 1000, 5000])
      assert.ok(!find(`bulkhead-db:x:${uid}:100::/:/bin/sh`).ok, String(uid));
  });
});

describe('a login in a file', { skip }, () => {
  test('counts only if root alone can read it', (t) => {
    const path = `${testDirectory(t, 'database-login')}/db.cnf`;
    const reason = () => {
      const read = readCredentials(path);
      return read.ok ? JSON.stringify(read.value) : read.error.reason;
    };
    assert.match(reason(), /no such file|does not exist/i);
    writeFileSync(path, '[client]\nuser = bulkhead-db\npassword = "s3 cret"\n', { mode: 0o600 });
    assert.equal(reason(), '{"user":"bulkhead-db","password":"s3 cret"}');
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(path, mode);
      assert.match(reason(), /others than root can read it/);
    }
    chmodSync(path, 0o600);
    chownSync(path, 1234, 0);
    assert.match(reason(), /belongs to uid 1234/);
    symlinkSync(path, `${path}.link`);
    assert.ok(!readCredentials(`${path}.link`).ok);
  });
});

test('a login is read from the section of clients only', () => {
  for (const text of [
    '',
    '[client]\nuser = a',
    '[mysqld]\nuser = a\npassword = b',
    'user=a\npassword=b',
  ])
    assert.ok(!parseCredentials(text).ok, text);
  assert.deepEqual(parseCredentials("[mysqld]\nuser=x\n[client]\nuser=a\npassword='b=c'"), {
    ok: true,
    value: { user: 'a', password: 'b=c' },
  });
});

test('nativeHash() is the hash of the server', () => {
  // SELECT PASSWORD('sesame') of MariaDB 11.8.
  assert.equal(nativeHash('sesame'), '*EE33294C97C42FFF14EA73AB81E428A6FC7B9A8B');
});

test('damaged records are refused', () => {
  const number = { socket: '/s', account: 'a', host: 'h', before: 0, set: 1 };
  const numbers = (row: object) => parseNumbers(JSON.stringify({ version: 1, numbers: [row] })).ok;
  assert.ok(numbers(number));
  for (const odd of [
    { set: -5 },
    { set: 1e9 },
    { set: '1; DROP' },
    { before: 0.5 },
    { account: 7 },
    { host: 'h'.repeat(300) },
    { socket: 's' },
    { replaces: '1' },
  ])
    assert.ok(!numbers({ ...number, ...odd }), JSON.stringify(odd));
  for (const text of ['', '[]', '{}', '{"version":2,"servers":[]}', '{"version":1,"servers":[{}]}'])
    assert.ok(!parseServers(text).ok, text);
});
