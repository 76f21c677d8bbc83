/** Which FTP daemons a host has, and how they are configured: files of distributions, units, and processes. */
import assert from 'node:assert/strict';
import { chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, test } from 'node:test';
import { inPamFile, proftpdSetting } from '../../../src/pam/core/daemons.ts';
import { ftpSettings } from '../../../src/pam/io/ftp-daemons.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

type Files = Readonly<Record<string, string>>;

const isJailed = (user: string) => user === 'ann';

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
  return ftpSettings(isJailed, root.path).map(
    ({ service, opensSessions, outsideJails, asksAccount }) => ({
      service,
      opensSessions,
      asksAccount,
      why: outsideJails ?? '',
    }),
  );
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

  test('reports whom vsftpd lets act as a tenant without a session of the tenant', () => {
    const found = (...lines: readonly string[]) =>
      settingsOf({ '/etc/vsftpd.conf': ['session_support=YES', ...lines].join('\n') })[0];
    const cases: readonly (readonly [RegExp, ...string[]])[] = [
      [/guests act as an account \(user_config_dir\)/, 'user_config_dir=/etc/vsftpd/users'],
      [/guests act as "ann" \(guest_username\)/, 'guest_enable=YES', 'guest_username=ann'],
      [/anonymous visitors act as "ann" \(ftp_username\)/, 'ftp_username=ann'],
      [/"ann" \(ftp_username\)/, 'anonymous_enable=NO', 'ftp_username=ann', 'anonymous_enable=yes'],
    ];
    for (const [why, ...lines] of cases) {
      assert.match(found(...lines)?.why ?? '', why);
      assert.equal(found(...lines)?.asksAccount, false, lines.join());
    }
    const harmless: readonly (readonly string[])[] = [
      [],
      ['guest_enable=YES'],
      ['guest_enable=YES', 'guest_username=vmail'],
      ['guest_username=ann'],
      ['anonymous_enable=NO', 'ftp_username=ann'],
    ];
    for (const lines of harmless) assert.equal(found(...lines)?.why, '', lines.join());
  });

  test('bounds files of ProFTPD that include each other', () => {
    const found = settingsOf({
      '/etc/proftpd.conf': 'Include /etc/proftpd.conf\nInclude /etc/a.conf\n',
      '/etc/a.conf': 'Include /etc/proftpd.conf\nInclude /etc/a.conf\n',
    });
    assert.match(found[0]?.why ?? '', /asks another method/);
  });

  test('joins lines of ProFTPD that a backslash continues', () => {
    const why = (text: string, included = '') =>
      settingsOf({ '/etc/proftpd.conf': text, '/etc/more.conf': included })[0]?.why ?? '';
    const order = 'AuthOrder \\\n  mod_auth_pam.c* \\\n# not this one \\\nmod_auth_unix.c\n';
    assert.equal(why(order), '');
    assert.equal(why('Include \\\n/etc/more.conf\n', order), '');
    // A comment ends with its line, and only a newline continues one.
    assert.equal(why(`# all \\\n${order}`), '');
    assert.match(
      why('AuthOrder mod_auth_pam.c* \\ \nmod_auth_unix.c\nAuthPAM \\\noff\n'),
      /AuthPAM is off/,
    );
    assert.match(why(`${order}UserPassword \\\n ann \\\n x`), /lets "ann" in without PAM/);
    assert.match(
      why(`${order}<Anonymous \\\n ~ann>\nUser \\\nann\n</Anonymous>\n`),
      /act as "ann"/,
    );
    assert.equal(why(`${order}# UserPassword \\\nUmask 022\n`), '');
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
    proftpdSetting('/p.conf', lines.join('\n'), isJailed).outsideJails;
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

  test('reports visitors of <Anonymous> who act as a tenant', () => {
    const section = (...lines: readonly string[]) =>
      problem(order, '<Anonymous ~ftp>', ...lines, '</Anonymous>');
    assert.match(section('User ann') ?? '', /visitors of <Anonymous> .* act as "ann"/);
    const deep = [
      '<IfModule mod_x.c>',
      '<Anonymous /srv>',
      'User ann',
      '</Anonymous>',
      '</IfModule>',
    ];
    assert.match(problem(order, ...deep) ?? '', /act as "ann"/);
    for (const lines of [['User ftp'], [], ['# User ann']])
      assert.equal(section(...lines), undefined);
    assert.equal(problem('User ann', order), undefined, "the server's own");
  });
});

describe('inPamFile()', () => {
  const setting = { service: 'ftp', opensSessions: true, asksAccount: true };
  const absent = { entersJail: false, reachable: false };

  test('reports a PAM file that admits a tenant and has no session line of ours', () => {
    const [found] = inPamFile('ftp', [setting], absent);
    assert.match(found?.outsideJails ?? '', /^\/etc\/pam\.d\/ftp does not include common-session/);
    assert.equal(found?.asksAccount, false, 'the account phase admits the tenant');
  });

  test('keeps what is right, can be made right, or is wrong for another reason', () => {
    const other = { ...setting, outsideJails: 'it is off' };
    assert.deepEqual(inPamFile('ftp', [other], absent), [other]);
    assert.deepEqual(inPamFile('ftp', [setting], { ...absent, entersJail: true }), [setting]);
    assert.deepEqual(inPamFile('ftp', [setting], { ...absent, reachable: true }), [setting]);
  });
});
