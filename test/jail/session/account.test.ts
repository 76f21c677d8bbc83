// The PAM module's account phase on this kernel: whom it keeps from logging in through FTP daemons.
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { patienceMilliseconds } from '../../../testing/patience.ts';
import {
  instead,
  list,
  mkfifo,
  other,
  program,
  scratch,
  session,
  skip,
  tenant,
  useJail,
  words,
} from './stage.ts';

const script = 'cat /run/bulkhead/profile 2>/dev/null || echo outside';
const withAccount = (user: string, service: string, ...more: readonly string[]) =>
  session(user, script, service, ['-p', ...more]);

/** Root and users without a jail log in as without Bulkhead. */
function othersLogIn(): void {
  for (const user of ['root', other])
    for (const service of ['login', 'pure-ftpd', 'vsftpd'])
      for (const more of [[], ['-n']]) {
        const { status, stdout, log } = withAccount(user, service, ...more);
        assert.deepEqual([status, stdout], [0, 'outside'], `${user} ${service}: ${log}`);
      }
}

/** Runs the program under the name of a daemon, which decides for the module. */
function asDaemon(name: string, ...more: readonly string[]) {
  const path = `${scratch}/${name}`;
  fs.copyFileSync(program, path);
  const run = [...more, '-p', ...words(tenant, script, 'login')];
  const ran = spawnSync(path, run, { encoding: 'utf8', timeout: patienceMilliseconds });
  return { ...ran, stdout: ran.stdout.trim() };
}

/** A daemon without sessions ends at once, before it runs anything. */
function endsWithoutSession(): void {
  for (const name of ['vsftpd', 'proftpd', 'in.proftpd']) {
    const { signal, stdout, stderr } = asDaemon(name, '-n');
    assert.deepEqual([signal, stdout], ['SIGKILL', ''], stderr);
    assert.match(stderr, /nobody has a jail, and the FTP daemon did not enter it/);
  }
}

describe('pam_bulkhead.so account', { skip }, () => {
  useJail('session-account');

  test('admits tenants with a jail where sessions enter it', () => {
    const { status, stdout, log } = withAccount(tenant, 'login');
    assert.deepEqual([status, stdout], [0, 'web'], log);
    const daemon = asDaemon('vsftpd');
    assert.deepEqual([daemon.status, daemon.stdout], [0, 'web'], daemon.stderr);
    othersLogIn();
  });

  test('refuses them where sessions cannot, and logs the reason', () => {
    const { status, stdout, stderr } = asDaemon('pure-ftpd', '-a');
    assert.deepEqual([status, stdout], [1, ''], stderr);
    assert.match(
      stderr,
      /no login for nobody: it has a jail, which this FTP daemon cannot enter; use sftp/,
    );
  });

  test('refuses them in another server with such a PAM service, and never ends it', () => {
    for (const service of ['vsftpd', 'pure-ftpd']) {
      const { status, stdout, log } = withAccount(tenant, service, '-n');
      assert.deepEqual([status, stdout], [1, ''], log);
      assert.match(log, /no login for nobody/);
    }
  });

  test('ends a daemon that opens no session, or goes on when it is refused', () => {
    endsWithoutSession();
    // No service but FTP daemons is ended: sudo, for one, has an account phase, too.
    assert.equal(withAccount(tenant, 'login', '-n').stdout, 'outside');
    othersLogIn();
  });

  test('still decides by the state file when the list is broken, and never about others', () => {
    const broken: readonly ((path: string) => void)[] = [
      (path) => fs.symlinkSync('/etc/passwd', path),
      (path) => fs.mkdirSync(path),
      mkfifo,
      (path) => (fs.writeFileSync(path, `${other}\n`), fs.chmodSync(path, 0o666)),
    ];
    for (const make of broken)
      instead(list(), make, () => {
        assert.equal(withAccount(tenant, 'pure-ftpd', '-a').status, 1);
        endsWithoutSession();
        othersLogIn();
      });
  });

  test('refuses only users with a jail when the module is missing or broken', () => {
    for (const service of ['missing', 'broken']) {
      const { status, stdout, log } = withAccount(tenant, service, '-n');
      assert.deepEqual([status, stdout], [1, ''], log);
      for (const user of ['root', other])
        assert.equal(withAccount(user, service, '-n').stdout, 'outside');
    }
  });
});
