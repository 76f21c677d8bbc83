/** Sessions of real FTP daemons with the lines that `pam enable` writes, for tenants with and without a jail. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { opensSessions, whyOutsideJails } from '../../../src/pam/core/daemons.ts';
import { FtpStage, daemonIn, skip, uid, type FtpSession } from './stage.ts';

const stage = new FtpStage();

/** The processes that act as the tenant. */
const own = ({ processes }: FtpSession) => processes.filter((each) => each.uid === uid);

function written(name: string, lines: readonly string[]): string {
  const path = `${stage.scratch}/${name}`;
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

const vsftpd = (program: string, ...more: readonly string[]) => [
  program,
  written('vsftpd.conf', [
    'listen=YES',
    'listen_ipv6=NO',
    'listen_address=127.0.0.1',
    'listen_port=2121',
    'anonymous_enable=NO',
    'local_enable=YES',
    'write_enable=YES',
    'pam_service_name=vsftpd',
    `secure_chroot_dir=${stage.scratch}/empty`,
    ...more,
  ]),
];

const proftpd = (program: string, ...more: readonly string[]) => [
  program,
  '-n',
  '-c',
  written('proftpd.conf', [
    'ServerType standalone',
    'Port 2121',
    'DefaultAddress 127.0.0.1',
    'SocketBindTight on',
    'User nobody',
    'Group nogroup',
    'AuthOrder mod_auth_pam.c* mod_auth_unix.c',
    'AuthPAMConfig proftpd',
    `ScoreboardFile ${stage.scratch}/score`,
    `PidFile ${stage.scratch}/proftpd.pid`,
    'RequireValidShell off',
    'UseFtpUsers off',
    'WtmpLog off',
    'UseIPv6 off',
    ...more,
  ]),
];

const pureFtpd = (program: string) => {
  const pidFile = `${stage.scratch}/pure-ftpd.pid`;
  return [program, '-l', 'pam', '-S', '127.0.0.1,2121', '-u', '100', '-g', pidFile];
};

/** Whether the session sees /etc/fstab of the host, which no jail has. */
const seesHost = ({ lines }: FtpSession) => lines.some((line) => line.startsWith('host 213'));

describe('FTP daemons', { skip }, () => {
  const with_ = (name: string) => {
    const program = daemonIn(name);
    return { program: program ?? '', skip: program === undefined && `needs ${name}` };
  };
  before(() => mkdirSync(`${stage.scratch}/empty`));

  const pro = with_('proftpd');
  test('ProFTPD is in the cgroup and in the jail', { skip: pro.skip }, async () => {
    for (const jail of [false, true]) {
      const session = await stage.session('proftpd', proftpd(pro.program), { jail });
      assert.match(session.login, /^login 230 /);
      assert.deepEqual(own(session), [{ uid, isPlaced: true, isInside: jail }]);
      assert.equal(seesHost(session), !jail, session.lines.join('\n'));
    }
    assert.equal(whyOutsideJails('proftpd'), undefined);
  });

  const vs = with_('vsftpd');
  test('vsftpd is in both with session_support, else in neither', { skip: vs.skip }, async () => {
    for (const jail of [false, true]) {
      const more = 'session_support=YES';
      const session = await stage.session('vsftpd', vsftpd(vs.program, more), { jail });
      assert.deepEqual(own(session), [{ uid, isPlaced: true, isInside: jail }]);
      assert.ok(session.lines.includes('read my own'), session.lines.join('\n'));
      assert.ok(session.lines.some((line) => line.startsWith('store 226')));
      assert.equal(seesHost(session), !jail);
    }
    const without = await stage.session('vsftpd', vsftpd(vs.program), { jail: true });
    assert.deepEqual(own(without), [{ uid, isPlaced: false, isInside: false }]);
    assert.ok(seesHost(without));
  });

  test('daemons that change their root directory refuse tenants with a jail', async (t) => {
    if (vs.program === '' || pro.program === '') {
      t.skip('needs vsftpd and proftpd');
      return;
    }
    const lines = ['session_support=YES', 'chroot_local_user=YES', 'allow_writeable_chroot=YES'];
    for (const [service, command] of [
      ['vsftpd', vsftpd(vs.program, ...lines)],
      ['proftpd', proftpd(pro.program, 'DefaultRoot ~')],
    ] as const) {
      const open = await stage.session(service, command, { jail: false });
      assert.match(open.login, /^login 230 /);
      const jailed = await stage.session(service, command, { jail: true });
      assert.match(jailed.login, /^login 5/);
      assert.deepEqual(own(jailed), []);
    }
  });

  test('opensSessions() reads the last line, and takes none for NO', () => {
    assert.ok(opensSessions('session_support=NO\nsession_support=yes\n'));
    for (const text of ['', '#session_support=YES\n', 'session_support=YES\nsession_support=NO'])
      assert.ok(!opensSessions(text), text);
  });

  const pure = with_('pure-ftpd');
  test('pure-ftpd is in the cgroup, and not in the jail', { skip: pure.skip }, async () => {
    for (const jail of [false, true]) {
      const session = await stage.session('pure-ftpd', pureFtpd(pure.program), { jail });
      assert.deepEqual(own(session), [{ uid, isPlaced: true, isInside: false }]);
      assert.ok(seesHost(session));
    }
    assert.match(whyOutsideJails('pure-ftpd') ?? '', /goes on when PAM refuses/);
  });
});
