/** Which site a pool serves, as the real nginx tells it; no server is started. */
import assert from 'node:assert/strict';
import { existsSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathsOf } from '../../../src/host/paths.ts';
import type { ServiceTenant } from '../../../src/web/core/fpm/service/split.ts';
import type { UnitName } from '../../../src/web/core/fpm/service/units.ts';
import { file } from '../../../src/sys/files/file-set.ts';
import type { Installed } from '../../../src/web/io/fpm/installed.ts';
import { fpmLayoutOf } from '../../../src/web/io/fpm/layout.ts';
import { readPoolSites } from '../../../src/web/io/fpm/pool-sites.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

const program = '/usr/sbin/nginx';
const scratch = suiteDirectory('pool-sites');

const configuration = join(scratch, 'nginx.conf');
const nginx = { program, args: ['-c', configuration, '-p', scratch], directory: scratch };
const write = (http: string) =>
  writeFileSync(
    configuration,
    `pid ${scratch}/pid; error_log ${scratch}/log; events {} http { access_log off; server_names_hash_bucket_size 512; ${http} }\n`,
  );

const fpm = { program: '/usr/sbin/php-fpm8.4', php: '8.4', configuration: '/none' };
const layout = fpmLayoutOf(pathsOf('bulkhead'), fpm, true);
const alice: ServiceTenant = {
  uid: 1001,
  gid: 1001,
  user: 'alice',
  hasOwnGroup: true,
  sites: [{ name: 'shop.example' }, { name: 'blog.example' }, { name: `${'a.'.repeat(110)}aa` }],
};
const bob: ServiceTenant = { uid: 1002, gid: 1002, user: 'bob', hasOwnGroup: true, sites: [] };
const nothing: Installed = { files: new Map(), units: new Map() };

test(
  'readPoolSites() finds the site of a pool by vhosts, only for the tenant that has the site',
  {
    skip: !existsSync(program) && 'nginx is not installed',
  },
  async () => {
    write(`upstream both { server unix:/run/php/up.sock; }
    server { server_name shop.example; location / { fastcgi_pass unix:/run/php/shop.sock; } }
    server { server_name blog.example; location / { fastcgi_pass both; } }
    server { server_name ${alice.sites?.[2]?.name}; location / { fastcgi_pass unix:/run/php/long.sock; } }`);
    const siteOf = await readPoolSites({ nginx }, [bob, alice], layout, nothing);
    assert.equal(siteOf(alice, '/run/php/shop.sock'), 'shop.example');
    assert.equal(siteOf(alice, '/run/php/up.sock'), 'blog.example');
    // The name would not fit into a unit's name.
    assert.equal(siteOf(alice, '/run/php/long.sock'), undefined);
    assert.equal(siteOf(bob, '/run/php/shop.sock'), undefined);
  },
);

test(
  "readPoolSites() keeps pools' sites when a running server refuses its files",
  {
    skip: process.getuid?.() !== 0 && 'needs root',
  },
  async () => {
    const unit = (service: string, at: string) =>
      file(`[Socket]\nListenStream=/run/php/${at}.sock.bulkhead\nService=${service}\n`);
    const socket = (pool: string) => `bulkhead-fpm84@1001:${pool}.socket`;
    const pools = { shop: ':shop.example', gone: ':gone.example', main: '' };
    const installed: Installed = {
      units: new Map(
        Object.keys(pools).map((pool): [string, UnitName] => [
          socket(pool),
          { uid: 1001, type: 'socket' },
        ]),
      ),
      files: new Map(
        Object.entries(pools).map(([pool, part]) => [
          `${layout.units}/${socket(pool)}`,
          unit(`bulkhead-fpm84@1001${part}.service`, pool),
        ]),
      ),
    };
    const read = (server: string) =>
      readPoolSites({ nginx: { ...nginx, program: server } }, [alice], layout, installed);
    // Neither accepts anything. A server that does not run passes nothing on.
    const idle = await read('/nonexistent');
    assert.equal(idle(alice, '/run/php/shop.sock'), undefined);
    const siteOf = await read(realpathSync(process.execPath));
    assert.equal(siteOf(alice, '/run/php/shop.sock'), 'shop.example');
    for (const pool of ['gone', 'main', 'new'])
      assert.equal(siteOf(alice, `/run/php/${pool}.sock`), undefined, pool);
  },
);

test('readPoolSites() runs no server when no tenant has sites', async () => {
  const none = { ...nginx, program: '/nonexistent' };
  const siteOf = await readPoolSites({ nginx: none }, [bob], layout, nothing);
  assert.equal(siteOf(bob, '/run/php/shop.sock'), undefined);
});
