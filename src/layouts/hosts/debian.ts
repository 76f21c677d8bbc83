/** Debian and Ubuntu; also deb.sury.org, and panels that use the distribution's PHP, such as HestiaCP. */
import type { Layout } from '../layout.ts';

export const debian: Layout = {
  origin: 'the distribution',
  php: {
    version: /\d+\.\d+/,
    id: '{version}',
    program: '/usr/sbin/php-fpm{version}',
    configuration: '/etc/php/{version}/fpm/php-fpm.conf',
    pools: '/etc/php/{version}/fpm/pool.d',
    unit: 'php{version}-fpm.service',
    sockets: '/run/php',
    settings: [
      '/etc/php/{version}/fpm/php.ini',
      '/etc/php/{version}/fpm/conf.d',
      '/etc/php/{version}/fpm/conf.d/*',
      '/usr/lib/php/*/*.so',
    ],
    isCommonName: true,
  },
  apache: {
    program: '/usr/sbin/apache2',
    configuration: '/etc/apache2/apache2.conf',
    directory: '/etc/apache2',
    modInfo: ['/usr/lib/apache2/modules/mod_info.so'],
    environment: '/etc/apache2/envvars',
    ownFile: '/etc/apache2/conf-enabled/bulkhead.conf',
    pidFile: '/var/run/apache2/apache2.pid',
  },
  nginx: { program: '/usr/sbin/nginx', directory: '/etc/nginx' },
};
