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

/** A daemon without sessions ends at once, before it runs anything. */
function endsWithoutSession(service: string): void {
  const run = ['-p', '-n', ...words(tenant, 'echo ran', service)];
  const { signal, stdout, stderr } = spawnSync(program, run, {
    encoding: 'utf8',
    timeout: patienceMilliseconds,
  });
  assert.deepEqual([signal, stdout], ['SIGKILL', ''], stderr);
  assert.match(stderr, /nobody has a jail, and the FTP daemon did not enter it/);
}

describe('pam_bulkhead.so account', { skip }, () => {
  useJail('session-account');

  test('admits tenants with a jail where sessions enter it', () => {
    for (const service of ['login', 'vsftpd']) {
      const { status, stdout, log } = withAccount(tenant, service);
      assert.deepEqual([status, stdout], [0, 'web'], log);
    }
    othersLogIn();
  });

  test('refuses them where sessions cannot, and logs the reason', () => {
    const { status, stdout, log } = withAccount(tenant, 'pure-ftpd', '-a');
    assert.deepEqual([status, stdout], [1, ''], log);
    assert.match(log, /no login for nobody: it has a jail, which pure-ftpd cannot enter; use sftp/);
  });

  test('ends a daemon that opens no session, or goes on when it is refused', () => {
    endsWithoutSession('vsftpd');
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
        endsWithoutSession('vsftpd');
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
