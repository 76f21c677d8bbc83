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
  test('finds httpd and PHP of Enterprise Linux, and does not claim to serve them', () => {
    const look = lookAt('/usr/sbin/httpd', '/etc/httpd/', '/usr/sbin/php-fpm', '/etc/php-fpm.d/');
    assert.deepEqual(look.webServers, [
      { name: 'Apache', program: '/usr/sbin/httpd', isServed: false },
    ]);
    assert.deepEqual(look.php, [
      {
        program: '/usr/sbin/php-fpm',
        origin: 'Enterprise Linux',
        pools: '/etc/php-fpm.d',
        isServed: false,
      },
    ]);
    const remarks = lookRemarks(look).join('\n');
    assert.match(remarks, /web entries" cannot serve Apache \(\/usr\/sbin\/httpd\)/);
    assert.match(remarks, /web fpm" cannot serve PHP of Enterprise Linux .*never into a jail/);
  });

  const others: readonly (readonly [origin: string, program: string, pools: string | null])[] = [
    ["Remi's repository", '/opt/remi/php83/root/usr/sbin/php-fpm', '/etc/opt/remi/php83/php-fpm.d'],
    [
      'Software Collections',
      '/opt/rh/rh-php73/root/usr/sbin/php-fpm',
      '/etc/opt/rh/rh-php73/php-fpm.d',
    ],
    [
      'cPanel',
      '/opt/cpanel/ea-php83/root/usr/sbin/php-fpm',
      '/opt/cpanel/ea-php83/root/etc/php-fpm.d',
    ],
    ['Plesk', '/opt/plesk/php/8.3/sbin/php-fpm', '/opt/plesk/php/8.3/etc/php-fpm.d'],
    ['CloudLinux', '/opt/alt/php83/usr/sbin/php-fpm', '/opt/alt/php83/etc/php-fpm.d'],
    ['DirectAdmin', '/usr/local/php83/sbin/php-fpm83', null],
    ['LiteSpeed', '/usr/local/lsws/lsphp83/bin/lsphp', null],
  ];
  for (const [origin, program, pools] of others)
    test(`finds PHP of ${origin}`, () => {
      const look = lookAt(program, ...(pools === null ? [] : [`${pools}/`]));
      assert.deepEqual(look.php, [{ program, origin, pools, isServed: false }]);
      assert.ok(lookRemarks(look).some((each) => each.includes(`PHP of ${origin} (${program})`)));
    });

  test('serves nginx, Apache and PHP of Debian, and takes no program without its files', () => {
    const look = lookAt(
      '/usr/sbin/nginx',
      '/usr/sbin/apache2',
      '/etc/apache2/apache2.conf',
      '/usr/sbin/php-fpm8.4',
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
      look.php.map(({ program, isServed }) => [program, isServed]),
      [['/usr/sbin/php-fpm8.4', true]],
    );
    assert.ok(!lookRemarks(look).some((each) => each.includes('cannot serve')));
    assert.deepEqual(
      lookLines(look).find(([label]) => label === 'Web'),
      ['Web', 'nginx, Apache'],
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
      look.webServers.map(({ name, isServed }) => [name, isServed]),
      [['LiteSpeed', false]],
    );
    assert.deepEqual([look.panels, look.cloudLinux], [['CyberPanel'], ['/etc/container/ve.cfg']]);
  });
});
