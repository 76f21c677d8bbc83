/** CloudLinux' alternative PHP. */
import type { Layout } from '../layout.ts';

export const cloudLinuxAlt: Layout = {
  origin: 'CloudLinux',
  php: {
    version: /\d{2,3}/,
    id: 'alt-php{version}',
    program: '/opt/alt/php{version}/usr/sbin/php-fpm',
    configuration: '/opt/alt/php{version}/etc/php-fpm.conf',
    pools: '/opt/alt/php{version}/etc/php-fpm.d',
    unit: 'alt-php{version}-fpm.service',
    sockets: '/run',
    settings: [
      '/opt/alt/php{version}/etc/php.ini',
      '/opt/alt/php{version}/etc/php.d',
      '/opt/alt/php{version}/etc/php.d/*',
      '/opt/alt/php{version}/usr/lib64/php/modules/*.so',
    ],
  },
};
