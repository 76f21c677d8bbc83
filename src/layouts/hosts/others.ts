/** Servers outside packages of a distribution, and those that are found and not served. */
import type { Layout } from '../layout.ts';

export const nginxFromSource: Layout = {
  origin: 'nginx from its source',
  nginx: { program: '/usr/local/nginx/sbin/nginx', directory: '/usr/local/nginx/conf' },
};

export const liteSpeed: Layout = {
  origin: 'LiteSpeed',
  liteSpeed: {
    serverRoot: '/usr/local/lsws',
    // A host can have had both editions; only OpenLiteSpeed has this program.
    configurations: [
      {
        program: '/usr/local/lsws/bin/openlitespeed',
        path: '/usr/local/lsws/conf/httpd_config.conf',
      },
      { path: '/usr/local/lsws/conf/httpd_config.xml' },
      { path: '/usr/local/lsws/conf/httpd_config.conf' },
    ],
  },
  unserved: [
    { name: 'LiteSpeed', program: '/usr/local/lsws/bin/litespeed' },
    { name: 'LiteSpeed', program: '/usr/local/lsws/bin/lshttpd' },
    { name: 'LiteSpeed', program: '/usr/local/lsws/bin/openlitespeed' },
  ],
  unservedPhp: '/usr/local/lsws/lsphp*/bin/lsphp',
};

export const caddy: Layout = {
  origin: 'Caddy',
  unserved: [{ name: 'Caddy', program: '/usr/bin/caddy' }],
};
