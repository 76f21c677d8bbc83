import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { suite, test } from 'node:test';
import { dropInText, assignmentsOf, dropInState } from '../../src/confine/core/drop-in.ts';
import { boundingSet, isSandboxInForce } from '../../src/confine/core/in-force.ts';
import { pathWord, type ServiceFacts } from '../../src/confine/core/line.ts';
import { profileOf, profiles, sandboxOf, whyNot } from '../../src/confine/core/profiles.ts';
import { facts as plain } from './service-lines.ts';
import { parseExposure } from '../../src/confine/core/exposure.ts';
import { parseInet, parseUnix } from '../../src/confine/core/listening.ts';

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

function linesOf(service: string, facts: Partial<ServiceFacts> = {}) {
  const profile = profileOf(service);
  assert.ok(profile, service);
  return sandboxOf(service, profile, { ...plain, ...facts });
}

const textOf = (service: string, facts: Partial<ServiceFacts> = {}) =>
  dropInText(service, linesOf(service, facts).lines, digest);

const valuesOf = (text: string, key: string) =>
  assignmentsOf(text).flatMap(([name, value]) => (name === key && value !== '' ? [value] : []));

const services = profiles.map(({ service }) => (service === 'php-fpm' ? 'php8.4-fpm' : service));

suite('dropInText() of every profile', () => {
  for (const service of services) {
    test(`${service} has a reason for each line, and the settings that all profiles need`, () => {
      const text = textOf(service);
      const lines = text.split('\n').slice(4);
      for (const [at, line] of lines.entries())
        if (line !== '' && !line.startsWith('#')) {
          const above = lines[at - 1] ?? '';
          const isAfterReset = above.endsWith('=') && line.startsWith(above);
          assert.ok(above.startsWith('# ') || isAfterReset, `no reason: ${line}`);
        }
      assert.deepEqual(valuesOf(text, 'ProtectSystem'), ['strict']);
      for (const key of ['ProtectKernelModules', 'ProtectKernelTunables', 'PrivateDevices'])
        assert.deepEqual(valuesOf(text, key), ['yes'], key);
      const [capabilities = ''] = valuesOf(text, 'CapabilityBoundingSet');
      assert.doesNotMatch(
        capabilities,
        /SYS_ADMIN|SYS_MODULE|SYS_PTRACE|SYS_RAWIO|NET_ADMIN|MKNOD|DAC_READ_SEARCH.*SYS_BOOT/,
      );
      for (const word of capabilities.split(' ')) assert.notEqual(boundingSet(word), 0n, word);
    });

    test(`${service} may write neither to the system nor to all of /run or /var`, () => {
      for (const value of valuesOf(textOf(service), 'ReadWritePaths'))
        for (const path of value.split(' '))
          assert.doesNotMatch(path, /^-?\/(|etc|usr|run|var|boot|var\/lib|root|opt)$/);
    });
  }

  test("postfix resets the unit's own lists before it sets them", () => {
    const text = textOf('postfix');
    for (const key of ['CapabilityBoundingSet', 'SystemCallFilter', 'RestrictAddressFamilies'])
      assert.match(text, new RegExp(`\\n${key}=\\n${key}=\\S`));
  });
});

suite('sandboxOf() with facts about a host', () => {
  test('omits what an older systemd does not know, and names it', () => {
    const { lines, unknown } = linesOf('named', { version: 241 });
    assert.deepEqual(
      unknown.map(({ key }) => key),
      [
        'ProtectKernelLogs',
        'ProtectClock',
        'ProtectHostname',
        'ProtectProc',
        'RestrictSUIDSGID',
        'ProcSubset',
      ],
    );
    assert.ok(lines.every(({ since }) => since <= 241));
    const needed = linesOf('nginx', { version: 241 }).unknown.filter(({ required }) => required);
    assert.deepEqual(
      needed.map(({ key }) => key),
      ['ExecCondition'],
    );
  });

  test('lets web servers write to homes elsewhere, and hides them from databases', () => {
    const homes = ['/home', '/srv/customers'];
    assert.ok(
      valuesOf(textOf('php8.4-fpm', { homes }), 'ReadWritePaths').includes(
        '-/home -/srv/customers -/var/www -/srv',
      ),
    );
    assert.deepEqual(valuesOf(textOf('nginx', { homes }), 'ProtectHome'), ['read-only']);
    assert.match(valuesOf(textOf('nginx', { homes }), 'InaccessiblePaths').join(' '), /^-\/root /);
    const database = textOf('mariadb', { homes });
    assert.deepEqual(valuesOf(database, 'ProtectHome'), ['yes']);
    assert.ok(valuesOf(database, 'InaccessiblePaths').includes('-/srv/customers'));
  });

  test('keeps databases that are in a home writable', () => {
    const text = textOf('mariadb', { written: ['/home/mysql/ibdata1'] });
    assert.deepEqual(valuesOf(text, 'ProtectHome'), ['read-only']);
    assert.ok(valuesOf(text, 'ReadWritePaths').includes('-/home'));
    const other = textOf('mariadb', { homes: ['/data', '/home'], written: ['/data/sql/ibdata1'] });
    assert.ok(valuesOf(other, 'ReadWritePaths').includes('-/data'));
    assert.doesNotMatch(valuesOf(other, 'InaccessiblePaths').join(' '), /-\/data/);
  });

  test('keeps files that the service writes now writable, at most their directory', () => {
    const written = [
      '/data/logs/a.log',
      '/data/logs/b.log',
      '/etc/x',
      '/var/log/nginx/a',
      '/dev/shm/x',
    ];
    const lines = valuesOf(textOf('nginx', { written }), 'ReadWritePaths');
    assert.ok(lines.includes('-/data/logs'));
    assert.ok(lines.includes('-/etc/x'));
    assert.equal(lines.filter((each) => /nginx\/a|shm/.test(each)).length, 0);
    // A tenant can make a link of the directory.
    const inHome = valuesOf(
      textOf('nginx', { written: ['/home/alice/logs/a.log'] }),
      'ReadWritePaths',
    );
    assert.ok(inHome.includes('-/home'));
  });

  test('keeps set-id bits for mail() of PHP only when the host has a mail server', () => {
    const without = valuesOf(textOf('php8.4-fpm'), 'NoNewPrivileges');
    assert.deepEqual(without, ['yes']);
    const text = textOf('php8.4-fpm', { mailer: 'exim4' });
    assert.deepEqual(valuesOf(text, 'NoNewPrivileges'), []);
    assert.match(valuesOf(text, 'ReadWritePaths').join(' '), /-\/var\/spool\/exim4/);
  });

  test('lets Apache write to sites only with a module that needs it', () => {
    assert.deepEqual(valuesOf(textOf('apache2'), 'ProtectHome'), ['read-only']);
    const apache = { user: 'web', modules: new Set(['php8.4', 'mpm_prefork']) };
    const text = textOf('apache2', { apache });
    assert.deepEqual(valuesOf(text, 'ProtectHome'), ['no']);
    assert.match(text, /mod_php8\.4 is enabled, and sites write their files/);
    assert.match(text, /install -d -o web \/run\/apache2/);
  });

  test('keeps CAP_SYS_CHROOT for pools with chroot, and writable code for Lua in nginx', () => {
    assert.match(textOf('php8.4-fpm', { chrootPools: true }), /CAP_SYS_CHROOT/);
    assert.doesNotMatch(textOf('php8.4-fpm'), /CAP_SYS_CHROOT/);
    const nginxModules = ['50-mod-http-lua.conf'];
    assert.doesNotMatch(textOf('nginx', { nginxModules }), /MemoryDenyWriteExecute/);
    assert.match(textOf('nginx'), /MemoryDenyWriteExecute=yes/);
  });
});

suite('profileOf() and whyNot()', () => {
  test('profileOf() accepts aliases and versions', () => {
    assert.equal(profileOf('bind9')?.service, 'named');
    assert.equal(profileOf('php7.4-fpm')?.service, 'php-fpm');
    assert.equal(profileOf('php8.4-fpmx'), undefined);
    assert.match(
      textOf('php7.4-fpm'),
      /install \/run\/php\/php-fpm\.sock \/etc\/php\/7\.4\/fpm\/pool\.d\/www\.conf 74/,
    );
  });

  test('whyNot() refuses services whose sandbox every session would inherit', () => {
    for (const name of ['ssh', 'sshd', 'cron', 'atd'])
      assert.match(whyNot(name)?.reason ?? '', /inherit/);
    assert.equal(whyNot('nginx'), undefined);
  });
});

suite('dropInState(), pathWord() and isSandboxInForce()', () => {
  const text = textOf('nginx');

  test('dropInState() distinguishes our file from an edited or a foreign one', () => {
    assert.equal(dropInState(undefined, digest), 'absent');
    assert.equal(dropInState(text, digest), 'ours');
    assert.equal(dropInState(text.replace('=strict', '=full'), digest), 'changed');
    assert.equal(dropInState(`${text}\n`, digest), 'changed');
    assert.equal(dropInState('[Service]\nNice=5\n', digest), 'foreign');
  });

  test('pathWord() escapes percent signs, spaces and quotes', () => {
    assert.equal(pathWord('/srv/a%b'), '-/srv/a%%b');
    assert.equal(pathWord('/srv/a b"c'), '"-/srv/a b\\"c"');
  });

  test('isSandboxInForce() compares the bounding set and seccomp mode with the file', () => {
    const status = (bounding: bigint, seccomp: number) =>
      `CapBnd:\t${bounding.toString(16).padStart(16, '0')}\nSeccomp:\t${seccomp}\n`;
    const ours = boundingSet(valuesOf(text, 'CapabilityBoundingSet')[0] ?? '');
    assert.equal(ours, 0x4e3n);
    assert.equal(isSandboxInForce(text, status(ours, 2)), true);
    assert.equal(isSandboxInForce(text, status(ours & ~1n, 2)), true);
    assert.equal(isSandboxInForce(text, status(ours, 0)), false);
    assert.equal(isSandboxInForce(text, status(ours | (1n << 21n), 2)), false);
    assert.equal(isSandboxInForce(text, ''), false);
  });
});

suite('parseExposure(), parseInet() and parseUnix()', () => {
  test('parseExposure() reads the last line of systemd-analyze security', () => {
    const line = '→ Overall exposure level for nginx.service: 2.7 OK 🙂\n';
    assert.equal(parseExposure(`✗ PrivateNetwork=\n\n${line}`), 2.7);
    assert.equal(parseExposure('Unit nginx.service not found.'), undefined);
  });

  test('parseInet() and parseUnix() return listening sockets only', () => {
    const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   107        0 17562 1
   1: 0100007F:0CEA 0100007F:A001 01 00000000:00000000 00:00000000 00000000   107        0 17563 1
`;
    assert.deepEqual([...parseInet('tcp', tcp)], [['17562', 'tcp 0100007F:0CEA']]);
    const udp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   107        0 5 1
   1: 00000000:C001 00000000:0000 07 00000000:00000000 00:00000000 00000000   107        0 6 1
`;
    assert.deepEqual([...parseInet('udp', udp)], [['5', 'udp 0100007F:0035']]);
    const unix = `Num       RefCount Protocol Flags    Type St Inode Path
0: 00000002 00000000 00010000 0001 01 12345 /run/x.sock
0: 00000002 00000000 00010000 0001 01 12346 /run/cgisock.4711
0: 00000003 00000000 00000000 0001 03 12347 /run/x.sock
0: 00000002 00000000 00010000 0001 01 12348
`;
    assert.deepEqual([...parseUnix(unix)], [['12345', 'unix /run/x.sock']]);
  });
});
