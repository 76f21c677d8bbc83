/**
 * cPanel's EasyApache 4: PHP as software collections, and an Apache with Debian's directory and httpd's names.
 * Source: docs.cpanel.net, "PHP-FPM Code and FileSystem Layout for EasyApache 4".
 */
import type { Layout } from '../layout.ts';

export const cpanel: Layout = {
  origin: 'cPanel',
  php: {
    version: /\d{2,3}/,
    id: 'ea-php{version}',
    program: '/opt/cpanel/ea-php{version}/root/usr/sbin/php-fpm',
    configuration: '/opt/cpanel/ea-php{version}/root/etc/php-fpm.conf',
    pools: '/opt/cpanel/ea-php{version}/root/etc/php-fpm.d',
    unit: 'ea-php{version}-php-fpm.service',
    sockets: '/run',
    settings: [
      '/opt/cpanel/ea-php{version}/root/etc/php.ini',
      '/opt/cpanel/ea-php{version}/root/etc/php.d',
      '/opt/cpanel/ea-php{version}/root/etc/php.d/*',
      '/opt/cpanel/ea-php{version}/root/usr/lib64/php/modules/*.so',
    ],
  },
  apache: {
    program: '/usr/sbin/httpd',
    configuration: '/etc/apache2/conf/httpd.conf',
    directory: '/etc/apache2',
    modInfo: ['/etc/apache2/modules/mod_info.so', '/usr/lib64/apache2/modules/mod_info.so'],
    ownFile: '/etc/apache2/conf.d/bulkhead.conf',
    pidFile: '/run/apache2/httpd.pid',
  },
};
