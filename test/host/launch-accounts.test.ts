/** The account files that apply writes for the launcher, from files of a fixture. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { publishAccounts, withdrawAccounts } from '../../src/host/cgroups/launch-accounts.ts';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import { applyPolicy, releaseAll } from '../../src/apply/apply.ts';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import { fakeHost } from '../../testing/fake-host.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const alice = 'alice:x:1001:1001:Alice, Room 1:/home/alice:/bin/bash';
const bob = 'bob:x:1002:100::/home/bob:/bin/sh';
const root = 'root:x:0:0:root:/root:/bin/bash';
const tenants = new Set([1001, 1002]);

describe('publishAccounts()', () => {
  let scratch = '';
  let paths: Paths;
  const copies = (name: string) => join(paths.runtime, 'accounts', name);
  const read = (name: string) => readFileSync(copies(name), 'latin1');
  const names = () => readdirSync(copies('')).filter((name) => !name.startsWith('.'));

  beforeEach((t) => {
    scratch = testDirectory(t, 'accounts');
    paths = { ...pathsOf(), etc: join(scratch, 'etc'), runtime: join(scratch, 'run') };
    mkdirSync(paths.etc);
    mkdirSync(paths.runtime);
    write('nsswitch.conf', '# a comment\npasswd:         files systemd\ngroup: files\n');
  });

  /** Writes a file with an mtime of its own that lies in the past. */
  let seconds = 1_700_000_000;
  const write = (name: string, text: string) => {
    const path = join(paths.etc, name);
    writeFileSync(path, text, 'latin1');
    seconds += 1;
    utimesSync(path, seconds + 0.25, seconds + 0.25);
  };
  const publish = (...lines: readonly string[]) => {
    write('passwd', lines.map((line) => `${line}\n`).join(''));
    assert.ok(publishAccounts(paths, tenants).ok);
  };

  test('writes each account by name and by uid, without password and comment', () => {
    publish(root, alice, bob);
    assert.deepEqual(names().sort(), ['1001', '1002', 'alice', 'bob']);
    assert.equal(read('alice'), 'alice::1001:1001::/home/alice:/bin/bash\n');
    assert.equal(read('1001'), read('alice'));
  });

  test('records inode and mtime of the files it read, to the nanosecond', () => {
    publish(alice);
    for (const name of ['passwd', 'nsswitch.conf']) {
      const source = statSync(join(paths.etc, name), { bigint: true });
      assert.equal(statSync(copies(`.${name}`), { bigint: true }).mtimeNs, source.mtimeNs);
      assert.match(read(`.${name}`), /^\d*\n$/);
    }
    const { mtimeNs } = statSync(copies('.passwd'), { bigint: true });
    assert.equal(statSync(copies('.later'), { bigint: true }).mtimeNs, mtimeNs + 1n);
  });

  test('writes files that only root can read', () => {
    publish(alice);
    assert.equal(statSync(copies('')).mode & 0o777, 0o700);
    for (const name of ['alice', '1001', '.passwd', '.lines'])
      assert.equal(statSync(copies(name)).mode & 0o777, 0o600);
  });

  test('updates an account that is changed, removed, or given another uid', () => {
    publish(alice, bob);
    publish(alice.replace('/bin/bash', '/bin/zsh'), bob);
    assert.match(read('alice'), /zsh/);
    publish(bob.replace('1002', '1001'));
    assert.deepEqual(names().sort(), ['1001', 'bob']);
    assert.equal(read('1001'), 'bob::1001:100::/home/bob:/bin/sh\n');
  });

  test('writes nothing when nothing has changed', () => {
    publish(alice);
    const inode = () => ['alice', '.lines', '.passwd'].map((name) => statSync(copies(name)).ino);
    const before = inode();
    assert.ok(publishAccounts(paths, tenants).ok);
    assert.deepEqual(inode(), before);
  });

  test('rewrites only the account that has changed', () => {
    publish(alice, bob);
    const before = statSync(copies('alice')).ino;
    publish(alice, bob.replace('/home/bob', '/srv/bob'));
    assert.equal(statSync(copies('alice')).ino, before);
    assert.match(read('bob'), /srv/);
  });

  test('repairs the files that an interrupted run left', () => {
    publish(alice, bob);
    for (const name of ['.lines', '.passwd']) rmSync(copies(name));
    writeFileSync(copies('bob'), 'bob::1002:0::/ro');
    writeFileSync(copies('carol'), 'carol::1003:0::/root:/bin/sh\n');
    publish(alice, bob);
    assert.deepEqual(names().sort(), ['1001', '1002', 'alice', 'bob']);
    assert.equal(read('bob'), 'bob::1002:100::/home/bob:/bin/sh\n');
  });

  test('uses the first line of a name or uid, and writes none if that is not a tenant', () => {
    publish('alice:x:900:900::/srv:/bin/sh', alice, 'ann:x:1001:5::/srv/ann:/bin/sh', bob);
    assert.deepEqual(names().sort(), ['1001', '1002', 'ann', 'bob']);
    assert.equal(read('1001'), 'alice::1001:1001::/home/alice:/bin/bash\n');
  });

  test('skips names that cannot be file names, and lines that getent and read may print differently', () => {
    publish(
      bob,
      alice.replace('alice:', '../alice:'),
      'al/ice:x:1001:1001::/:/bin/sh',
      '.lines:x:1001:1001::/:/bin/sh',
    );
    assert.deepEqual(names().sort(), ['1002', 'bob']);
    for (const shell of ['/bin/sh ', '/bin/sh\r', '/bin/\u001b[31m', '/bin/sh\0']) {
      publish(bob, alice.replace('/bin/bash', shell));
      assert.deepEqual(names().sort(), ['1002', 'bob'], JSON.stringify(shell));
    }
  });

  test('keeps every byte of a home, including shell metacharacters', () => {
    const home = '/home/\xe9\xff $(id) `id` "\' \\ ; * #';
    publish(alice.replace('/home/alice', home));
    assert.equal(read('alice'), `alice::1001:1001::${home}:/bin/bash\n`);
  });

  for (const line of [
    '+::::::',
    '-bob::::::',
    ' alice:x:1001:1001::/:/bin/sh',
    'alice:x:01001:1001::/:/bin/sh',
    'alice:x:1001::/:/bin/sh',
    'alice:x:1001:1001::/',
    'alice:x:+1001:1001::/:/bin/sh',
    'alice:x:4294968297:1001::/:/bin/sh',
    ':x:1001:1001::/:/bin/sh',
  ]) {
    test(`leaves all accounts to getent when a line is "${line}"`, () => {
      publish(alice, bob);
      publish(line, alice, bob);
      assert.ok(!existsSync(copies('')));
    });
  }

  for (const rule of [
    'passwd: sss files',
    'passwd: compat',
    'passwd: files [SUCCESS=continue] sss',
    'passwd: db files',
    'passwd: filesystem',
    'passwd:',
    'passwd: files\npasswd: sss',
    '#passwd: files',
  ]) {
    test(`leaves all accounts to getent when nsswitch.conf has ${JSON.stringify(rule)}`, () => {
      publish(alice);
      write('nsswitch.conf', `${rule}\ngroup: files\n`);
      publish(alice);
      assert.ok(!existsSync(copies('')));
    });
  }

  test('reads comments and empty lines as glibc does', () => {
    publish('# people', '', alice);
    assert.deepEqual(names().sort(), ['1001', 'alice']);
  });

  test('leaves all accounts to getent when a file is missing', () => {
    publish(alice);
    rmSync(join(paths.etc, 'nsswitch.conf'));
    assert.ok(publishAccounts(paths, tenants).ok);
    assert.ok(!existsSync(copies('')));
  });

  test('leaves all accounts to getent while an mtime is in the future', () => {
    publish(alice);
    const future = Date.now() / 1000 + 1_000_000;
    utimesSync(join(paths.etc, 'passwd'), future, future);
    assert.ok(publishAccounts(paths, tenants).ok);
    assert.ok(!existsSync(copies('')));
  });

  test('waits until the next change of a file must have another mtime', () => {
    write('passwd', `${alice}\n`);
    writeFileSync(join(paths.etc, 'passwd'), `${alice}\n${bob}\n`);
    const { mtimeMs } = statSync(join(paths.etc, 'passwd'));
    assert.ok(publishAccounts(paths, tenants).ok);
    assert.ok(Date.now() - mtimeMs >= 19);
    assert.equal(read('bob'), 'bob::1002:100::/home/bob:/bin/sh\n');
  });

  test('fails with the path when it cannot write', () => {
    write('passwd', `${alice}\n`);
    rmSync(paths.runtime, { recursive: true });
    writeFileSync(paths.runtime, '');
    const published = publishAccounts(paths, tenants);
    assert.match(
      published.ok ? '' : formatProblem(published.error),
      /^Cannot write ".*\/accounts": /,
    );
  });

  test('withdrawAccounts() removes all files', () => {
    publish(alice);
    withdrawAccounts(paths.runtime);
    withdrawAccounts(paths.runtime);
    assert.ok(!existsSync(copies('')));
  });

  test('runs for every tenant in applyPolicy(), and releaseAll() removes the files', () => {
    const host = fakeHost(2);
    paths = Object.assign(host.paths, { etc: paths.etc });
    write('passwd', `${alice}\n${bob}\n${bob.replace('bob', 'carol').replace('1002', '1003')}\n`);
    const text =
      '<bulkhead version="1"><tenant user="alice"/>' +
      '<reseller uid="1003"><tenant user="bob"/></reseller></bulkhead>';
    const { policy, diagnostics } = new PolicyReader().resolve('policy.xml', text, paths);
    assert.ok(policy, JSON.stringify(diagnostics));
    const applied = applyPolicy(policy, host, { kill: false, force: false });
    assert.ok(applied.ok && applied.value.failures.length === 0);
    assert.deepEqual(names().sort(), ['1001', '1002', 'alice', 'bob']);
    assert.ok(releaseAll(host, { kill: false }).ok);
    assert.ok(!existsSync(copies('')));
  });
});
