/** Remi's repository for Enterprise Linux: several versions next to each other, as software collections. */
import type { Layout } from '../layout.ts';

export const remi: Layout = {
  origin: "Remi's repository",
  php: {
    version: /\d{2,3}/,
    id: 'remi-php{version}',
    program: '/opt/remi/php{version}/root/usr/sbin/php-fpm',
    configuration: '/etc/opt/remi/php{version}/php-fpm.conf',
    pools: '/etc/opt/remi/php{version}/php-fpm.d',
    unit: 'php{version}-php-fpm.service',
    sockets: '/run',
    settings: [
      '/etc/opt/remi/php{version}/php.ini',
      '/etc/opt/remi/php{version}/php.d',
      '/etc/opt/remi/php{version}/php.d/*',
      '/opt/remi/php{version}/root/usr/lib64/php/modules/*.so',
    ],
  },
};
