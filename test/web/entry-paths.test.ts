/** Counts of PHP-FPM and CGI, as entry paths, over sites. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entryPathsOfSites } from '../../src/web/commands/entry-paths.ts';
import type { SiteView } from '../../src/web/core/overview.ts';
import type { Handler } from '../../src/web/core/site.ts';

const site = (
  kind: SiteView['placed']['kind'],
  ...handled: readonly [Handler, string][]
): SiteView => ({
  server: 'nginx',
  names: ['shop.example'],
  listen: ['80'],
  file: '/etc/nginx/nginx.conf',
  line: 1,
  handlers: handled.map(([handler]) => handler),
  handledBy: handled.map(([, text]) => text),
  overrides: [],
  owner: undefined,
  owners: [],
  placed: { kind, reason: '' },
  findings: [],
});
const fpm: [Handler, string] = [{ kind: 'fastcgi', text: '/run/a.sock' }, 'FPM 8.4 alice'];
const fastCgi: [Handler, string] = [
  { kind: 'fastcgi', text: '/run/b.sock' },
  'FastCGI /run/b.sock',
];
const cgi: [Handler, string] = [{ kind: 'cgi', text: 'CGI' }, 'CGI'];
const proxy: [Handler, string] = [{ kind: 'proxy', text: '/run/c.sock' }, 'proxy /run/c.sock'];
const nginx = [{ name: 'nginx', program: '/usr/sbin/nginx', problems: [] }];
const counts = (...sites: readonly SiteView[]) =>
  entryPathsOfSites({ servers: nginx, sites }).counts;

test('entryPathsOfSites() counts each site for its handlers, by its placement', () => {
  assert.deepEqual(
    counts(
      site('caught', fpm),
      site('caught', fpm),
      site('at source', fpm, fastCgi),
      site('not covered', cgi),
      site('at source', proxy),
    ),
    { 'PHP-FPM': { caught: 2, 'at source': 1 }, CGI: { 'at source': 1, 'not covered': 1 } },
  );
});

test("entryPathsOfSites() skips sites that are not running, unknown, or not a tenant's", () => {
  assert.deepEqual(
    counts(site('nothing to place', fpm), site('not running', fpm), site('unknown', cgi)),
    { 'PHP-FPM': {}, CGI: {} },
  );
});

test('entryPathsOfSites() counts a site once when nginx passes it to Apache', () => {
  const behind = site('caught', [{ kind: 'fastcgi', text: '' }, 'FPM 8.4 alice']);
  const before = site('caught', [{ kind: 'proxy', text: '' }, 'Apache, FPM 8.4 alice']);
  assert.deepEqual(counts(behind, before)?.['PHP-FPM'], { caught: 1 });
});

test('entryPathsOfSites() returns nothing when there is no web server', () => {
  const servers = [{ name: 'php-fpm8.4', program: '/usr/sbin/php-fpm8.4', problems: [] }];
  assert.deepEqual(entryPathsOfSites({ servers, sites: [] }), {});
});
