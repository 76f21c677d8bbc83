/**
 * Sessions of real FTP daemons with the lines that `pam enable` writes, for tenants with and without a jail. Whatever the
 * daemon's configuration, a tenant with a jail is inside or refused, if the daemon asks PAM.
 */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { proftpdSetting, pureFtpdSetting, vsftpdSetting } from '../../../src/pam/core/daemons.ts';
import { FtpStage, skip, uid, user, type FtpSession } from './stage.ts';
import { daemonIn } from './unpack.ts';

const stage = new FtpStage();
/** The password with which the client logs in, as a configuration file has it. */
const cryptOfX = execFileSync('perl', ['-e', "print crypt('x', '$6$bulkhead$')"], {
  encoding: 'utf8',
});

/** The processes that act as the tenant. */
const own = ({ processes }: FtpSession) => processes.filter((each) => each.uid === uid);

function written(name: string, lines: readonly string[]): string {
  const path = `${stage.scratch}/${name}`;
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

type Lines = readonly string[];

/** Whether an account that a daemon's file names has a jail. */
const nobody = () => false;

const vsftpdLines = (more: Lines): Lines => [
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
];

const vsftpd = (program: string, ...more: Lines) => [
  program,
  written('vsftpd.conf', vsftpdLines(more)),
];

const proftpdLines = (more: Lines): Lines => [
  'ServerType standalone',
  'Port 2121',
  'DefaultAddress 127.0.0.1',
  'SocketBindTight on',
  'User nobody',
  'Group nogroup',
  `ScoreboardFile ${stage.scratch}/score`,
  `PidFile ${stage.scratch}/proftpd.pid`,
  'RequireValidShell off',
  'UseFtpUsers off',
  'WtmpLog off',
  'UseIPv6 off',
  ...more,
];

const proftpd = (program: string, ...more: Lines) => [
  program,
  '-n',
  '-c',
  written('proftpd.conf', proftpdLines(more)),
];

const pureFtpd = (program: string, ...methods: Lines) => {
  const pidFile = `${stage.scratch}/pure-ftpd.pid`;
  const options = methods.flatMap((each) => ['-l', each]);
  return [program, ...options, '-S', '127.0.0.1,2121', '-u', '100', '-g', pidFile];
};

const pamFirst = 'AuthOrder mod_auth_pam.c* mod_auth_unix.c';

/** Whether the session sees /etc/fstab of the host, which no jail has. */
const seesHost = ({ lines }: FtpSession) => lines.some((line) => line.startsWith('host 213'));

function assertInside(session: FtpSession): void {
  assert.match(session.login, /^login 230 /);
  assert.deepEqual(own(session), [{ uid, isPlaced: true, isInside: true }]);
  assert.ok(!seesHost(session), session.lines.join('\n'));
}

function assertOutside(session: FtpSession): void {
  assert.match(session.login, /^login 230 /);
  assert.ok(own(session).every(({ isInside }) => !isInside));
  assert.ok(seesHost(session), session.lines.join('\n'));
}

/** The daemon may answer before the connection is ended. */
function assertRefused(session: FtpSession): void {
  assert.match(session.login, /^login (?:5\d\d |closed)/);
  assert.deepEqual(own(session), []);
}

describe('FTP daemons', { skip }, () => {
  const with_ = (name: string) => {
    const program = daemonIn(name);
    return { program: program ?? '', skip: program === undefined && `needs ${name}` };
  };
  before(() => mkdirSync(`${stage.scratch}/empty`));

  const pro = with_('proftpd');
  test('ProFTPD is in the cgroup and in the jail', pro, async () => {
    for (const order of [[pamFirst], []]) {
      const command = proftpd(pro.program, ...order);
      assertInside(await stage.session('proftpd', command, { jail: true }));
      const open = await stage.session('proftpd', command, { jail: false });
      assertOutside(open);
      assert.deepEqual(own(open), [{ uid, isPlaced: true, isInside: false }]);
    }
  });

  test('ProFTPD does not ask its next method when the jail cannot be entered', pro, async () => {
    for (const order of [[pamFirst], []]) {
      const command = proftpd(pro.program, ...order);
      const session = () => stage.session('proftpd', command, { jail: true });
      assertRefused(await stage.withoutState(session));
    }
  });

  test(
    "ProFTPD's own methods let tenants in outside the jail, and its setting shows it",
    pro,
    async () => {
      const cases = [
        { order: [], auth: 'pam_deny.so' },
        { order: ['AuthOrder mod_auth_unix.c'], auth: 'pam_permit.so' },
      ];
      for (const { order, auth } of cases) {
        const command = proftpd(pro.program, ...order);
        assertOutside(await stage.session('proftpd', command, { jail: true, auth }));
        const setting = proftpdSetting('/etc/proftpd.conf', proftpdLines(order).join('\n'), nobody);
        assert.match(setting.outsideJails ?? '', /mod_auth_pam\.c\*/);
        assert.equal(setting.asksAccount, false);
      }
      const first = { jail: true, auth: 'pam_deny.so' };
      assertRefused(await stage.session('proftpd', proftpd(pro.program, pamFirst), first));
      const setting = proftpdSetting(
        '/etc/proftpd.conf',
        proftpdLines([pamFirst]).join('\n'),
        nobody,
      );
      assert.equal(setting.outsideJails, undefined);
    },
  );

  test(
    '<Anonymous> of ProFTPD is outside the jail unless it requires a password',
    pro,
    async () => {
      const alias = `UserAlias anonymous ${user}`;
      const [required, off] = ['AnonRequirePassword on', 'AnonRequirePassword off'];
      const password = `UserPassword ${user} ${cryptOfX}`;
      const section = (...lines: Lines) => [
        `<Anonymous ~${user}>`,
        'Group nogroup',
        ...lines,
        '</Anonymous>',
      ];
      const cases: readonly (readonly [isOutside: boolean, as: string, lines: Lines])[] = [
        [true, 'anonymous', section(`User ${user}`, alias)],
        [true, user, section(`User "${user}"`)],
        [true, 'anonymous', section('User nobody', alias)],
        [true, 'anonymous', ['<Global>', ...section(alias), '</Global>']],
        [true, user, section(`User ${user}`, off, required)],
        [true, user, section(`User ${user}`, '<IfModule mod_x.c>', required, '</IfModule>')],
        [true, user, section(`User ${user}`, required, password)],
        [true, user, [password]],
        [false, user, section(`User ${user}`, alias, required)],
        [false, 'anonymous', section('User nobody', alias, required)],
      ];
      for (const [isOutside, as, lines] of cases) {
        const what = lines.join('; ');
        const command = proftpd(pro.program, pamFirst, ...lines);
        // PAM refuses every password: whoever gets in was not asked about.
        for (const auth of isOutside ? ['pam_deny.so'] : ['pam_deny.so', 'pam_permit.so']) {
          const session = await stage.session('proftpd', command, { jail: true, auth, as });
          assert.match(session.login, isOutside ? /^login 230 / : /^login (?:5\d\d |closed)/, what);
          if (isOutside)
            assert.ok(
              own(session).some(({ isInside }) => !isInside),
              what,
            );
        }
        const text = proftpdLines([pamFirst, ...lines]).join('\n');
        const setting = proftpdSetting('/etc/proftpd.conf', text, (name) => name === user);
        assert.equal(setting.outsideJails !== undefined, isOutside, what);
        assert.equal(setting.asksAccount, !isOutside, what);
      }
    },
  );

  const vs = with_('vsftpd');
  test('vsftpd is in both with session_support', vs, async () => {
    const sessions = 'session_support=YES';
    const commands = [
      () => vsftpd(vs.program, sessions),
      () => [...vsftpd(vs.program), `-o${sessions}`],
    ];
    for (const command of commands) {
      const session = await stage.session('vsftpd', command(), { jail: true });
      assertInside(session);
      assert.ok(session.lines.includes('read my own'), session.lines.join('\n'));
      assert.ok(session.lines.some((line) => line.startsWith('store 226')));
      assertOutside(await stage.session('vsftpd', command(), { jail: false }));
    }
  });

  test('vsftpd without sessions refuses tenants with a jail, and nobody else', vs, async () => {
    for (const service of ['vsftpd', 'ftp', 'anything']) {
      const command = vsftpd(vs.program, `pam_service_name=${service}`);
      assertRefused(await stage.session(service, command, { jail: true }));
      const open = await stage.session(service, command, { jail: false });
      assertOutside(open);
      assert.deepEqual(own(open), [{ uid, isPlaced: false, isInside: false }]);
    }
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
      assertRefused(await stage.session(service, command, { jail: true }));
    }
  });

  const pure = with_('pure-ftpd');
  test('pure-ftpd refuses tenants with a jail, and nobody else', pure, async () => {
    const command = pureFtpd(pure.program, 'pam');
    assertRefused(await stage.session('pure-ftpd', command, { jail: true }));
    const open = await stage.session('pure-ftpd', command, { jail: false });
    assertOutside(open);
    assert.deepEqual(own(open), [{ uid, isPlaced: true, isInside: false }]);
    assert.ok(pureFtpdSetting(['pam']).asksAccount);
  });

  test(
    'pure-ftpd with other methods lets them in outside, and its setting shows it',
    pure,
    async () => {
      const command = pureFtpd(pure.program, 'pam', 'unix');
      assertOutside(await stage.session('pure-ftpd', command, { jail: true }));
      const setting = pureFtpdSetting(['pam', 'unix']);
      assert.equal(setting.asksAccount, false);
      assert.match(setting.outsideJails ?? '', /without PAM, too \(unix\)/);
    },
  );

  test('vsftpdSetting() agrees with the daemon', () => {
    const text = vsftpdLines([]).join('\n');
    assert.match(
      vsftpdSetting('/x.conf', text, nobody).outsideJails ?? '',
      /session_support=YES in \/x\.conf/,
    );
    const on = vsftpdSetting('/x.conf', text, nobody, ['session_support=YES']);
    assert.deepEqual(on, { service: 'vsftpd', opensSessions: true, asksAccount: true });
  });
});
