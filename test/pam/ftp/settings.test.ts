/** Which FTP daemons a host has, and how they are configured: files of distributions, units, and processes. */
import assert from 'node:assert/strict';
import { chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, test } from 'node:test';
import { proftpdSetting } from '../../../src/pam/core/daemons.ts';
import { ftpSettings } from '../../../src/pam/io/ftp-daemons.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

type Files = Readonly<Record<string, string>>;

function settingsOf(files: Files, links: Files = {}, prepare = (_root: string) => {}) {
  using root = temporaryDirectory('ftp');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(`${root.path}${path}`), { recursive: true });
    writeFileSync(`${root.path}${path}`, text);
  }
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(dirname(`${root.path}${path}`), { recursive: true });
    symlinkSync(target, `${root.path}${path}`);
  }
  prepare(root.path);
  return ftpSettings(root.path).map(({ service, opensSessions, outsideJails, asksAccount }) => ({
    service,
    opensSessions,
    asksAccount,
    why: outsideJails ?? '',
  }));
}

describe('ftpSettings()', () => {
  test('reads the files of distributions', () => {
    assert.deepEqual(settingsOf({}), []);
    const debian = settingsOf({
      '/etc/debian_version': '13',
      '/etc/vsftpd.conf': 'local_enable=YES',
      '/etc/proftpd/proftpd.conf': 'Include conf.d/\n',
      '/etc/proftpd/conf.d/order.conf': 'AuthOrder mod_auth_pam.c* mod_auth_unix.c\n',
    });
    assert.deepEqual(
      debian.map(({ service, why }) => [service, why]),
      [
        [
          'vsftpd',
          'vsftpd opens no sessions; set session_support=YES in /etc/vsftpd.conf, and restart it',
        ],
        ['proftpd', ''],
      ],
    );
    const [elsewhere] = settingsOf({ '/etc/vsftpd/vsftpd.conf': 'session_support=YES' });
    assert.deepEqual(elsewhere, {
      service: 'ftp',
      opensSessions: true,
      asksAccount: true,
      why: '',
    });
  });

  test('reads the files that units and processes of root name, and no others', () => {
    const conf = 'pam_service_name=mine';
    const unit = '[Service]\nExecStart=-/usr/sbin/vsftpd /srv/ftp.conf -osession_support=YES\n';
    const byUnit = settingsOf({
      '/etc/systemd/system/vsftpd-2.service': unit,
      '/srv/ftp.conf': conf,
    });
    assert.deepEqual(byUnit, [
      { service: 'mine', opensSessions: true, asksAccount: true, why: '' },
    ]);
    const process = {
      '/proc/7/comm': 'vsftpd\n',
      '/proc/7/cmdline': '/usr/sbin/vsftpd\0/srv/ftp.conf\0',
      '/srv/ftp.conf': conf,
    };
    assert.deepEqual(
      settingsOf(process).map(({ service, opensSessions }) => [service, opensSessions]),
      [['mine', false]],
    );
    if (globalThis.process.getuid?.() !== 0) return;
    const tenants = settingsOf(process, {}, (root) => chownSync(`${root}/proc/7`, 65_534, 65_534));
    assert.deepEqual(tenants, []);
  });

  test('reports guests of vsftpd, whose names are not the names of accounts', () => {
    for (const line of ['guest_enable=YES', 'user_config_dir=/etc/vsftpd/users']) {
      const [found] = settingsOf({ '/etc/vsftpd.conf': `session_support=YES\n${line}\n` });
      assert.match(found?.why ?? '', /guests act as an account/);
      assert.equal(found?.asksAccount, false);
    }
  });

  test('bounds files of ProFTPD that include each other', () => {
    const found = settingsOf({
      '/etc/proftpd.conf': 'Include /etc/proftpd.conf\nInclude /etc/a.conf\n',
      '/etc/a.conf': 'Include /etc/proftpd.conf\nInclude /etc/a.conf\n',
    });
    assert.match(found[0]?.why ?? '', /asks another method/);
  });

  test("reads pure-ftpd's methods", () => {
    const files = {
      '/etc/pure-ftpd/conf/UnixAuthentication': 'no\n',
      '/etc/pure-ftpd/conf/PAMAuthentication': 'yes\n',
      '/etc/pure-ftpd/pure-ftpd.conf': 'Umask 133:022\n',
    };
    const links = {
      '/etc/pure-ftpd/auth/65unix': '../conf/UnixAuthentication',
      '/etc/pure-ftpd/auth/70pam': '../conf/PAMAuthentication',
    };
    const [debian] = settingsOf(files, links);
    assert.match(debian?.why ?? '', /cannot enter a jail/);
    assert.equal(debian?.asksAccount, true);
    const [both] = settingsOf(
      { ...files, '/etc/pure-ftpd/conf/UnixAuthentication': 'yes\n' },
      links,
    );
    assert.match(both?.why ?? '', /\(unix\)/);
    const [rhel] = settingsOf({ '/etc/pure-ftpd/pure-ftpd.conf': 'PureDB /etc/pureftpd.pdb\n' });
    assert.equal(rhel?.asksAccount, false);
  });
});

describe('proftpdSetting()', () => {
  const problem = (...lines: readonly string[]) =>
    proftpdSetting('/p.conf', lines.join('\n')).outsideJails;
  const order = 'AuthOrder mod_auth_pam.c* mod_auth_unix.c';

  test('wants PAM first, and no other method after its refusal', () => {
    assert.equal(problem(order), undefined);
    assert.match(problem() ?? '', /^ProFTPD asks another method.* in \/p\.conf$/);
    assert.match(problem('AuthOrder mod_auth_pam.c mod_auth_unix.c') ?? '', /another method/);
    assert.match(problem('AuthOrder mod_auth_unix.c') ?? '', /without PAM/);
    assert.match(problem(order, 'AuthPAM off') ?? '', /AuthPAM is off/);
    assert.match(problem(`# ${order}`) ?? '', /another method/);
  });

  test('wants it for virtual hosts, too, and counts on no condition', () => {
    const host = ['<VirtualHost 192.0.2.1>', 'Port 2122', '</VirtualHost>'];
    assert.match(problem(order, ...host) ?? '', /in <Global> of/);
    assert.equal(problem('<Global>', order, '</Global>', ...host), undefined);
    assert.match(problem('<IfModule mod_x.c>', order, '</IfModule>') ?? '', /another method/);
    assert.match(problem(order, 'SFTPEngine on') ?? '', /mod_sftp accepts keys/);
  });
});
