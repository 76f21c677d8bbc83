/**
 * DirectAdmin's CustomBuild: PHP compiled into /usr/local, pools in directories of its accounts, and an `httpd` that
 * includes an administrator's own lines by `httpd-includes.conf`.
 */
import type { Layout } from '../layout.ts';

export const directAdmin: Layout = {
  origin: 'DirectAdmin',
  php: {
    version: /\d{2,3}/,
    id: 'da-php{version}',
    program: '/usr/local/php{version}/sbin/php-fpm{version}',
    configuration: '/usr/local/php{version}/etc/php-fpm.conf',
    poolWriter: 'diradmin',
    unit: 'php-fpm{version}.service',
    sockets: '/run',
    settings: [
      '/usr/local/php{version}/lib/php.ini',
      '/usr/local/php{version}/lib/php.conf.d',
      '/usr/local/php{version}/lib/php.conf.d/*',
      '/usr/local/php{version}/lib/php/extensions/*/*.so',
    ],
  },
  apache: {
    program: '/usr/sbin/httpd',
    configuration: '/etc/httpd/conf/httpd.conf',
    mark: '/etc/httpd/conf/extra/httpd-includes.conf',
    directory: '/etc/httpd',
    modInfo: ['/usr/lib/apache/mod_info.so'],
    ownFile: '/etc/httpd/conf/extra/bulkhead.conf',
    pidFile: '/run/httpd.pid',
  },
};
