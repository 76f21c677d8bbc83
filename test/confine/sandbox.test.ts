/** The rights that each daemon keeps: a table by hand, so that no sandbox gets wider by accident. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { boundingSet } from '../../src/confine/core/in-force.ts';
import type { ServiceFacts, Line } from '../../src/confine/core/line.ts';
import { profileOf, profiles, sandboxOf } from '../../src/confine/core/profiles.ts';
import { facts } from './service-lines.ts';

function linesOf(service: string, more: Partial<ServiceFacts> = {}): readonly Line[] {
  const profile = profileOf(service);
  assert.ok(profile, service);
  return sandboxOf(service, profile, { ...facts, ...more }).lines;
}

/** Returns the values of a setting that count: all after the last empty one. */
function valuesOf(lines: readonly Line[], key: string): readonly string[] {
  const values = lines.filter((each) => each.key === key).map(({ value }) => value);
  return values.slice(values.lastIndexOf('') + 1);
}

const wordsOf = (lines: readonly Line[], key: string) =>
  valuesOf(lines, key).flatMap((value) => value.split(' '));

interface Allowed {
  readonly capabilities: string;
  readonly writable: string;
  readonly home: 'read-only' | 'no' | 'yes';
  readonly calls: string;
  readonly newPrivileges?: true;
  readonly writableCode?: true;
}

const server = 'NET_BIND_SERVICE SETUID SETGID CHOWN KILL DAC_OVERRIDE';

const limits = 'setrlimit prlimit64 setpriority';

const homes = '/home /var/www /srv';

const mailboxes = '/home /var/mail /var/spool/mail /var/vmail /srv/vmail';

const ftp =
  'NET_BIND_SERVICE SETUID SETGID SYS_CHROOT DAC_OVERRIDE DAC_READ_SEARCH CHOWN AUDIT_WRITE SYS_NICE';

const allowed: Readonly<Record<string, Allowed>> = {
  nginx: {
    capabilities: server,
    writable: '/run/nginx.pid /var/log/nginx /var/lib/nginx /var/cache/nginx',
    home: 'read-only',
    calls: `${limits} sched_setaffinity`,
  },
  apache2: {
    capabilities: server,
    writable: '/run/apache2 /run/lock/apache2 /var/log/apache2 /var/cache/apache2 /var/lib/apache2',
    home: 'read-only',
    calls: limits,
    writableCode: true,
  },
  'php8.4-fpm': {
    capabilities: server,
    writable: `/run/php /var/log /var/lib/php ${homes}`,
    home: 'no',
    calls: limits,
    writableCode: true,
  },
  exim4: {
    capabilities: 'NET_BIND_SERVICE SETUID SETGID DAC_OVERRIDE CHOWN FOWNER KILL SYS_RESOURCE',
    writable: `/var/spool/exim4 /var/lib/exim4 /var/log/exim4 /run/exim4 ${mailboxes}`,
    home: 'no',
    calls: limits,
    newPrivileges: true,
    writableCode: true,
  },
  postfix: {
    capabilities:
      'NET_BIND_SERVICE SETUID SETGID SYS_CHROOT DAC_OVERRIDE DAC_READ_SEARCH CHOWN FOWNER KILL',
    writable: `/var/spool/postfix /var/lib/postfix /var/log ${mailboxes}`,
    home: 'no',
    calls: `${limits} chroot`,
    newPrivileges: true,
    writableCode: true,
  },
  dovecot: {
    capabilities:
      'NET_BIND_SERVICE SETUID SETGID SYS_CHROOT DAC_OVERRIDE CHOWN KILL FOWNER SYS_RESOURCE AUDIT_WRITE',
    writable: `/var/lib/dovecot /var/log ${mailboxes}`,
    home: 'no',
    calls: `${limits} chroot`,
    writableCode: true,
  },
  mariadb: {
    capabilities: 'IPC_LOCK',
    writable: '/var/lib/mysql /run/mysqld /var/log/mysql',
    home: 'yes',
    calls: 'setpriority sched_setaffinity sched_setscheduler set_mempolicy mbind',
  },
  named: {
    capabilities: 'NET_BIND_SERVICE SETUID SETGID SYS_CHROOT DAC_READ_SEARCH SYS_RESOURCE CHOWN',
    writable: '/var/lib/bind /var/cache/bind /run/named /var/log/named /var/log/bind',
    home: 'yes',
    calls: 'setrlimit prlimit64 sched_setaffinity chroot',
  },
  vsftpd: {
    capabilities: ftp,
    writable: `/var/log ${homes}`,
    home: 'no',
    calls: `${limits} chroot`,
    writableCode: true,
  },
  proftpd: {
    capabilities: `${ftp} KILL FOWNER`,
    writable: `/run/proftpd.pid /run/proftpd.delay /run/proftpd.scoreboard /run/proftpd.scoreboard.lck /run/proftpd /var/log/proftpd ${homes}`,
    home: 'no',
    calls: `${limits} chroot`,
    writableCode: true,
  },
};

suite('sandboxOf() on a host without mail server and modules', () => {
  test('has a row in the table for each profile', () => {
    const services = profiles.map(({ service }) =>
      service === 'php-fpm' ? 'php8.4-fpm' : service,
    );
    assert.deepEqual(Object.keys(allowed).toSorted(), services.toSorted());
  });

  for (const [service, may] of Object.entries(allowed))
    test(`${service} gets the capabilities, paths and calls of the table, and nothing else`, () => {
      const lines = linesOf(service);
      assert.deepEqual(
        wordsOf(lines, 'CapabilityBoundingSet').map((each) => each.replace('CAP_', '')),
        may.capabilities.split(' '),
      );
      assert.deepEqual(
        wordsOf(lines, 'ReadWritePaths').map((each) => each.replace(/^-/, '')),
        may.writable.split(' '),
      );
      assert.deepEqual(valuesOf(lines, 'ProtectHome'), [may.home]);
      assert.equal(valuesOf(lines, 'SystemCallFilter').at(-1), may.calls);
      const isTrue = (key: string) => valuesOf(lines, key).join() === 'yes';
      assert.equal(isTrue('NoNewPrivileges'), may.newPrivileges !== true, 'NoNewPrivileges');
      assert.equal(isTrue('MemoryDenyWriteExecute'), may.writableCode !== true, 'writable code');
    });

  for (const service of Object.keys(allowed))
    test(`${service} cannot read the host's SSH keys or Bulkhead's state`, () => {
      const words = wordsOf(linesOf(service), 'InaccessiblePaths');
      assert.ok(words.includes('-/etc/ssh') && words.includes('-/var/lib/bulkhead'), words.join());
    });

  for (const service of Object.keys(allowed))
    test(`${service} has only capabilities that isSandboxInForce() can check`, () => {
      for (const word of wordsOf(linesOf(service), 'CapabilityBoundingSet'))
        assert.notEqual(boundingSet(word), 0n, word);
    });
});

suite('sandboxOf() on other hosts', () => {
  const writableBy = (service: string, more: Partial<ServiceFacts>) =>
    wordsOf(linesOf(service, more), 'ReadWritePaths').map((each) => each.replace(/^-/, ''));
  const hasNoNewPrivileges = (service: string, more: Partial<ServiceFacts>) =>
    valuesOf(linesOf(service, more), 'NoNewPrivileges').length > 0;

  test('keeps set-id bits for apache2 with suexec, or with mail and a module that sends it', () => {
    const withModules = (...modules: readonly string[]) => ({
      apache: { user: 'www-data', modules: new Set(modules) },
    });
    assert.equal(hasNoNewPrivileges('apache2', withModules('suexec')), false);
    assert.equal(hasNoNewPrivileges('apache2', { mailer: 'exim4' }), true);
    assert.equal(hasNoNewPrivileges('apache2', withModules('php8.4')), true);
    assert.equal(
      hasNoNewPrivileges('apache2', { ...withModules('php8.4'), mailer: 'exim4' }),
      false,
    );
  });

  test('lets apache2 write to sites only with a module that needs it', () => {
    for (const name of [
      'dav_fs',
      'mpm_itk',
      'cgi',
      'cgid',
      'fcgid',
      'ruid2',
      'passenger',
      'php',
      'php7.0',
    ])
      assert.ok(
        writableBy('apache2', { apache: { user: 'x', modules: new Set([name]) } }).includes(
          '/home',
        ),
        name,
      );
    for (const name of ['dav', 'proxy_fcgi', 'phpx', 'mpm_event'])
      assert.ok(
        !writableBy('apache2', { apache: { user: 'x', modules: new Set([name]) } }).includes(
          '/home',
        ),
        name,
      );
  });

  test('lets nginx write code for Perl, JavaScript and Passenger only', () => {
    const denied = (name: string) =>
      valuesOf(linesOf('nginx', { nginxModules: [name] }), 'MemoryDenyWriteExecute').length > 0;
    for (const name of ['50-mod-http-perl.conf', '50-mod-http-js.conf', '50-mod-passenger.conf'])
      assert.equal(denied(name), false, name);
    assert.equal(denied('50-mod-http-geoip.conf'), true);
  });

  test('lets php-fpm reach the queue of the installed mail server', () => {
    assert.ok(writableBy('php8.4-fpm', { mailer: 'exim4' }).includes('/var/spool/exim4'));
    const postfix = writableBy('php8.4-fpm', { mailer: 'postfix' });
    assert.ok(postfix.includes('/var/spool/postfix/maildrop'));
    assert.ok(!postfix.includes('/var/spool/postfix'));
    const fowner = (mailer: ServiceFacts['mailer']) =>
      wordsOf(linesOf('php8.4-fpm', { mailer }), 'CapabilityBoundingSet').includes('CAP_FOWNER');
    assert.deepEqual([fowner('exim4'), fowner('postfix'), fowner(undefined)], [true, false, false]);
  });

  test('keeps set-id bits for dovecot only for Sieve with a mail server', () => {
    assert.equal(hasNoNewPrivileges('dovecot', { sieve: true }), true);
    assert.equal(hasNoNewPrivileges('dovecot', { mailer: 'postfix' }), true);
    assert.equal(hasNoNewPrivileges('dovecot', { sieve: true, mailer: 'postfix' }), false);
    assert.ok(writableBy('dovecot', { mailer: 'postfix' }).includes('/var/spool/postfix/private'));
  });

  test('keeps homes readable for a database in /root', () => {
    const lines = linesOf('mariadb', { written: ['/root/sql/ibdata1'] });
    assert.deepEqual(valuesOf(lines, 'ProtectHome'), ['read-only']);
  });

  test('hides a home whose name only begins like a used directory', () => {
    const lines = linesOf('mariadb', {
      homes: ['/data', '/database', '/home'],
      written: ['/database/ibdata1'],
    });
    assert.deepEqual(wordsOf(lines, 'InaccessiblePaths').slice(0, 1), ['-/data']);
    assert.ok(!wordsOf(lines, 'InaccessiblePaths').includes('-/database'));
  });

  test('links a socket only for PHP-FPM', () => {
    assert.equal(valuesOf(linesOf('php8.4-fpm'), 'ExecStartPost').length, 1);
    assert.equal(valuesOf(linesOf('nginx'), 'ExecStartPost').length, 0);
  });
});
