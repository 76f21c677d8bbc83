/** Enterprise Linux and Fedora: one PHP, and `httpd`. Remi's repository can replace this PHP by a newer one. */
import type { Layout } from '../layout.ts';

export const enterpriseLinux: Layout = {
  origin: 'Enterprise Linux',
  php: {
    id: 'el',
    program: '/usr/sbin/php-fpm',
    configuration: '/etc/php-fpm.conf',
    pools: '/etc/php-fpm.d',
    unit: 'php-fpm.service',
    sockets: '/run',
    settings: [
      '/etc/php.ini',
      '/etc/php.d',
      '/etc/php.d/*',
      '/usr/lib64/php/modules/*.so',
      '/usr/lib64/php-zts/modules/*.so',
    ],
    isCommonName: true,
  },
  apache: {
    program: '/usr/sbin/httpd',
    configuration: '/etc/httpd/conf/httpd.conf',
    directory: '/etc/httpd',
    modInfo: ['/etc/httpd/modules/mod_info.so', '/usr/lib64/httpd/modules/mod_info.so'],
    ownFile: '/etc/httpd/conf.d/bulkhead.conf',
    pidFile: '/run/httpd/httpd.pid',
  },
};
