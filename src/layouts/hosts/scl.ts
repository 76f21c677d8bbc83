/** Red Hat's Software Collections, on Enterprise Linux 7 and 8. */
import type { Layout } from '../layout.ts';

export const scl: Layout = {
  origin: 'Software Collections',
  php: {
    version: /\d{2,3}/,
    id: 'rh-php{version}',
    program: '/opt/rh/rh-php{version}/root/usr/sbin/php-fpm',
    configuration: '/etc/opt/rh/rh-php{version}/php-fpm.conf',
    pools: '/etc/opt/rh/rh-php{version}/php-fpm.d',
    unit: 'rh-php{version}-php-fpm.service',
    sockets: '/run',
    settings: [
      '/etc/opt/rh/rh-php{version}/php.ini',
      '/etc/opt/rh/rh-php{version}/php.d',
      '/etc/opt/rh/rh-php{version}/php.d/*',
      '/opt/rh/rh-php{version}/root/usr/lib64/php/modules/*.so',
    ],
  },
};
