/** Hosts of other distributions and with panels, as setup finds them, by trees of their files. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { suite, test } from 'node:test';
import { pathsOf } from '../../src/host/paths.ts';
import { lookLines, lookRemarks } from '../../src/setup/core/look.ts';
import { lookAtHost } from '../../src/setup/io/look.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

/** Looks at a tree; a name that ends with a slash is a directory. */
function lookAt(...names: readonly string[]) {
  using scratch = temporaryDirectory('look');
  for (const name of names) {
    const path = scratch.path + name;
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (!name.endsWith('/')) writeFileSync(path, '');
  }
  return lookAtHost(pathsOf('bulkhead-look'), '/nowhere', { root: scratch.path });
}

suite('lookAtHost()', () => {
  test('serves httpd and PHP of Enterprise Linux', () => {
    const look = lookAt(
      '/usr/sbin/httpd',
      '/etc/httpd/conf/httpd.conf',
      '/usr/sbin/php-fpm',
      '/etc/php-fpm.conf',
      '/etc/php-fpm.d/',
    );
    assert.deepEqual(look.webServers, [
      { name: 'Apache', program: '/usr/sbin/httpd', isServed: true, isRead: true },
    ]);
    assert.deepEqual(look.php, [
      {
        program: '/usr/sbin/php-fpm',
        origin: 'Enterprise Linux',
        php: 'el',
        pools: '/etc/php-fpm.d',
        isServed: true,
      },
    ]);
    assert.ok(!lookRemarks(look).some((each) => each.includes('cannot serve')));
  });

  type Other = readonly [
    origin: string,
    php: string,
    program: string,
    configuration: string,
    pools: string | null,
  ];
  const others: readonly Other[] = [
    [
      "Remi's repository",
      'remi-php83',
      '/opt/remi/php83/root/usr/sbin/php-fpm',
      '/etc/opt/remi/php83/php-fpm.conf',
      '/etc/opt/remi/php83/php-fpm.d',
    ],
    [
      'Software Collections',
      'rh-php73',
      '/opt/rh/rh-php73/root/usr/sbin/php-fpm',
      '/etc/opt/rh/rh-php73/php-fpm.conf',
      '/etc/opt/rh/rh-php73/php-fpm.d',
    ],
    [
      'cPanel',
      'ea-php83',
      '/opt/cpanel/ea-php83/root/usr/sbin/php-fpm',
      '/opt/cpanel/ea-php83/root/etc/php-fpm.conf',
      '/opt/cpanel/ea-php83/root/etc/php-fpm.d',
    ],
    [
      'Plesk',
      'plesk-8.3',
      '/opt/plesk/php/8.3/sbin/php-fpm',
      '/opt/plesk/php/8.3/etc/php-fpm.conf',
      '/opt/plesk/php/8.3/etc/php-fpm.d',
    ],
    [
      'CloudLinux',
      'alt-php83',
      '/opt/alt/php83/usr/sbin/php-fpm',
      '/opt/alt/php83/etc/php-fpm.conf',
      '/opt/alt/php83/etc/php-fpm.d',
    ],
    [
      'DirectAdmin',
      'da-php83',
      '/usr/local/php83/sbin/php-fpm83',
      '/usr/local/php83/etc/php-fpm.conf',
      null,
    ],
  ];
  for (const [origin, php, program, configuration, pools] of others) {
    test(`serves PHP of ${origin}`, () => {
      const look = lookAt(program, configuration, ...(pools === null ? [] : [`${pools}/`]));
      assert.deepEqual(look.php, [{ program, origin, php, pools, isServed: true }]);
      assert.ok(!lookRemarks(look).some((each) => each.includes('cannot serve')));
    });
    test(`does not claim to serve PHP of ${origin} without its configuration`, () => {
      const look = lookAt(program);
      assert.deepEqual(look.php, [{ program, origin, php: null, pools: null, isServed: false }]);
      assert.ok(lookRemarks(look).some((each) => each.includes(`PHP of ${origin} (${program})`)));
    });
  }

  test("finds LiteSpeed's PHP, and does not claim to serve it", () => {
    const program = '/usr/local/lsws/lsphp83/bin/lsphp';
    const look = lookAt(program);
    assert.deepEqual(
      look.php.map(({ origin, isServed }) => [origin, isServed]),
      [['LiteSpeed', false]],
    );
    assert.ok(lookRemarks(look).some((each) => each.includes(`PHP of LiteSpeed (${program})`)));
  });

  test('serves nginx, Apache and PHP of Debian, and takes no program without its files', () => {
    const look = lookAt(
      '/usr/sbin/nginx',
      '/usr/sbin/apache2',
      '/etc/apache2/apache2.conf',
      '/usr/sbin/php-fpm8.4',
      '/etc/php/8.4/fpm/php-fpm.conf',
      '/etc/php/8.4/fpm/pool.d/',
      '/usr/sbin/php-fpm8.2',
      '/usr/sbin/php-fpm',
    );
    assert.deepEqual(
      look.webServers.map(({ name, isServed }) => [name, isServed]),
      [
        ['nginx', true],
        ['Apache', true],
      ],
    );
    assert.deepEqual(
      look.php.map(({ program, php, isServed }) => [program, php, isServed]),
      [['/usr/sbin/php-fpm8.4', '8.4', true]],
    );
    assert.ok(!lookRemarks(look).some((each) => each.includes('cannot serve')));
    assert.deepEqual(
      lookLines(look).find(([label]) => label === 'Web'),
      ['Web', 'nginx, Apache'],
    );
  });

  test('names what limits sites of LiteSpeed, whose configuration it reads, and of Caddy', () => {
    const [lsws, caddy] = ['/usr/local/lsws/bin/lshttpd', '/usr/bin/caddy'];
    const look = lookAt(lsws, '/usr/local/lsws/conf/httpd_config.conf', caddy);
    assert.deepEqual(
      look.webServers.map(({ name, isServed, isRead }) => [name, isServed, isRead]),
      [
        ['LiteSpeed', false, true],
        ['Caddy', false, false],
      ],
    );
    const remarks = lookRemarks(look);
    const about = (program: string) => remarks.find((each) => each.includes(program)) ?? '';
    assert.match(about(caddy), /nothing limits the requests at once/);
    assert.doesNotMatch(about(lsws), /nothing limits/);
    assert.match(
      about(lsws),
      /only its own "maxConns" can limit.*"bulkhead web status".*cgroups.*no program enters a jail/,
    );
  });

  test('finds LiteSpeed once, and the panels', () => {
    const look = lookAt(
      '/usr/local/lsws/bin/litespeed',
      '/usr/local/lsws/bin/lshttpd',
      '/usr/local/CyberCP/',
      '/etc/container/ve.cfg',
    );
    assert.deepEqual(
      look.webServers.map(({ name, isServed, isRead }) => [name, isServed, isRead]),
      [['LiteSpeed', false, false]],
    );
    assert.deepEqual([look.panels, look.cloudLinux], [['CyberPanel'], ['/etc/container/ve.cfg']]);
  });
});
