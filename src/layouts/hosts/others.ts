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
    // Both editions start bin/lshttpd, a link to openlitespeed, or to lshttpd.6.3 of the Enterprise edition.
    configurations: [
      { file: '/usr/local/lsws/conf/httpd_config.conf', readBy: /\/openlitespeed$/ },
      {
        file: '/usr/local/lsws/conf/httpd_config.xml',
        readBy: /\/(?:openlitespeed|lshttpd\.[^/]+)$/,
      },
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
