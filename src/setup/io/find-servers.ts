/**
 * The web servers and PHP of a host, by their paths on the distributions and with the panels that we know.
 *
 *     /usr/sbin/php-fpm8.4                          /etc/php/8.4/fpm/pool.d             Debian, Ubuntu
 *     /usr/sbin/php-fpm                             /etc/php-fpm.d                      Enterprise Linux
 *     /opt/remi/php83/root/usr/sbin/php-fpm         /etc/opt/remi/php83/php-fpm.d       Remi's repository
 *     /opt/rh/rh-php73/root/usr/sbin/php-fpm        /etc/opt/rh/rh-php73/php-fpm.d      Software Collections
 *     /opt/cpanel/ea-php83/root/usr/sbin/php-fpm    …/root/etc/php-fpm.d                cPanel
 */
import { existsSync, globSync } from 'node:fs';
import type { FoundPhp, FoundServer } from '../core/look.ts';

interface ServerPlace extends FoundServer {
  /** The configuration that must be there, too. */
  readonly configuration?: string;
}

/** `web entries` finds only those that are served. */
const serverPlaces: readonly ServerPlace[] = [
  { name: 'nginx', program: '/usr/sbin/nginx', isServed: true },
  { name: 'nginx', program: '/usr/local/nginx/sbin/nginx', isServed: false },
  {
    name: 'Apache',
    program: '/usr/sbin/apache2',
    configuration: '/etc/apache2/apache2.conf',
    isServed: true,
  },
  { name: 'Apache', program: '/usr/sbin/httpd', isServed: false },
  { name: 'LiteSpeed', program: '/usr/local/lsws/bin/litespeed', isServed: false },
  { name: 'LiteSpeed', program: '/usr/local/lsws/bin/lshttpd', isServed: false },
  { name: 'Caddy', program: '/usr/bin/caddy', isServed: false },
];

/** Returns the web servers; of two programs of the same server in one place, the first. */
export function findServers(root: string): readonly FoundServer[] {
  const found = serverPlaces.filter(
    ({ program, configuration = program }) =>
      existsSync(root + program) && existsSync(root + configuration),
  );
  return found
    .filter(({ name }, index) => found.findIndex((each) => each.name === name) === index)
    .map(({ name, program, isServed }) => ({ name, program, isServed }));
}

interface PhpPlace {
  readonly origin: string;
  readonly programs: string;
  /** Matches the program; the group is the version or the directory. */
  readonly pattern: RegExp;
  /** The directory of its pools. */
  readonly pools: (group: string) => string | undefined;
  /** Only with that directory: others have a program of this name, too. */
  readonly needsPools?: true;
}

const served = 'the distribution';

const phpPlaces: readonly PhpPlace[] = [
  {
    origin: served,
    programs: '/usr/sbin/php-fpm[0-9]*',
    pattern: /\/php-fpm(\d+\.\d+)$/,
    pools: (version) => `/etc/php/${version}/fpm/pool.d`,
    needsPools: true,
  },
  {
    origin: 'Enterprise Linux',
    programs: '/usr/sbin/php-fpm',
    pattern: /\/(php-fpm)$/,
    pools: () => '/etc/php-fpm.d',
    needsPools: true,
  },
  {
    origin: "Remi's repository",
    programs: '/opt/remi/php*/root/usr/sbin/php-fpm',
    pattern: /^\/opt\/remi\/(php\d+)\//,
    pools: (name) => `/etc/opt/remi/${name}/php-fpm.d`,
  },
  {
    origin: 'Software Collections',
    programs: '/opt/rh/rh-php*/root/usr/sbin/php-fpm',
    pattern: /^\/opt\/rh\/(rh-php\d+)\//,
    pools: (name) => `/etc/opt/rh/${name}/php-fpm.d`,
  },
  {
    origin: 'cPanel',
    programs: '/opt/cpanel/ea-php*/root/usr/sbin/php-fpm',
    pattern: /^\/opt\/cpanel\/(ea-php\d+)\//,
    pools: (name) => `/opt/cpanel/${name}/root/etc/php-fpm.d`,
  },
  {
    origin: 'Plesk',
    programs: '/opt/plesk/php/*/sbin/php-fpm',
    pattern: /^\/opt\/plesk\/php\/([\d.]+)\//,
    pools: (version) => `/opt/plesk/php/${version}/etc/php-fpm.d`,
  },
  {
    origin: 'CloudLinux',
    programs: '/opt/alt/php*/usr/sbin/php-fpm',
    pattern: /^\/opt\/alt\/(php\d+)\//,
    pools: (name) => `/opt/alt/${name}/etc/php-fpm.d`,
  },
  {
    origin: 'DirectAdmin',
    programs: '/usr/local/php*/sbin/php-fpm*',
    pattern: /^\/usr\/local\/(php\d+)\//,
    pools: () => undefined,
  },
  {
    origin: 'LiteSpeed',
    programs: '/usr/local/lsws/lsphp*/bin/lsphp',
    pattern: /\/(lsphp\d+)\//,
    pools: () => undefined,
  },
];

export function findPhp(root: string): readonly FoundPhp[] {
  return phpPlaces.flatMap(({ origin, programs, pattern, pools, needsPools }) =>
    filesOf(root, programs).flatMap((program): readonly FoundPhp[] => {
      const [, group] = pattern.exec(program) ?? [];
      if (group === undefined) return [];
      const directory = pools(group);
      const hasPools = directory !== undefined && existsSync(root + directory);
      if (needsPools === true && !hasPools) return [];
      return [{ program, origin, pools: hasPools ? directory : null, isServed: origin === served }];
    }),
  );
}

/** Returns the paths that match, without the root. */
export const filesOf = (root: string, pattern: string): readonly string[] =>
  globSync(root + pattern)
    .map((each) => each.slice(root.length))
    .sort();
