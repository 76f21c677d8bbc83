/** Plesk's own PHP. Its web servers are the distribution's. */
import type { Layout } from '../layout.ts';

export const plesk: Layout = {
  origin: 'Plesk',
  php: {
    version: /\d+\.\d+/,
    id: 'plesk-{version}',
    program: '/opt/plesk/php/{version}/sbin/php-fpm',
    configuration: '/opt/plesk/php/{version}/etc/php-fpm.conf',
    pools: '/opt/plesk/php/{version}/etc/php-fpm.d',
    unit: 'plesk-php{digits}-fpm.service',
    sockets: '/run',
    settings: [
      '/opt/plesk/php/{version}/etc/php.ini',
      '/opt/plesk/php/{version}/etc/php.d',
      '/opt/plesk/php/{version}/etc/php.d/*',
      '/opt/plesk/php/{version}/lib*/php/modules/*.so',
    ],
  },
};
