/** The owner of each site and of pools, by facts of a host that is made up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileFinding, type Pool } from '../../../src/web/core/fpm/pools.ts';
import { overviewOf } from '../../../src/web/core/overview.ts';
import type { ServerSite } from '../../../src/web/core/site.ts';
import { factsOf, pool, proxy, shop, site, views, type Host } from './stage.ts';

test('overviewOf() takes the owner from the pool, else from suEXEC, else from the directory', () => {
  const owners = { '/home/alice/www': [0, 0, 1001, 1001] };
  const [byPool] = views([shop], [pool()], { owners });
  assert.deepEqual(
    [byPool?.owner?.by, byPool?.owner?.name, byPool?.findings],
    ['pool', 'alice', []],
  );
  const runsAs = { by: 'SuexecUserGroup', user: 'bob' } as const;
  const cgi = { server: 'apache', handlers: [{ kind: 'cgi', text: 'CGI' }] } as const;
  const [suexec] = views([site({ ...cgi, runsAs })], []);
  assert.deepEqual([suexec?.owner?.by, suexec?.owner?.name], ['SuexecUserGroup', 'bob']);
  const [byDirectory, nobody] = views(
    [site({ root: '/home/alice/www' }), site({ root: '/var/www' })],
    [],
    { owners: { ...owners, '/var/www': [0, 0] } },
  );
  assert.deepEqual([byDirectory?.owner?.by, byDirectory?.owner?.name], ['directory', 'alice']);
  assert.equal(nobody?.owner, undefined);
});

test("overviewOf() reports two owners, and uses the pool's", () => {
  const [view] = views([shop], [pool({ user: 'bob' })], {
    owners: { '/home/alice/www': [0, 1001] },
  });
  assert.equal(view?.owner?.name, 'bob');
  assert.deepEqual(view?.findings, [
    'More than one tenant is named as its owner, bob by the pool shop, alice by the directory /home/alice/www',
  ]);
});

test('overviewOf() reports an account that does not exist', () => {
  const runsAs = { by: 'AssignUserID', user: 'ghost' } as const;
  const overview = overviewOf([], [site({ runsAs })], [pool({ user: 'ghost' })], factsOf({}));
  assert.match(
    overview.sites[0]?.findings[0] ?? '',
    /AssignUserID names "ghost", which is not an account/,
  );
  assert.match(overview.poolFindings[0]?.message ?? '', /user "ghost" is not an account/);
});

test("overviewOf() returns Apache's handler for a site that nginx passes to Apache", () => {
  const front = site({ handlers: [proxy('127.0.0.1:8080')] });
  const back = site({ ...shop, server: 'apache', listen: ['127.0.0.1:8080'] });
  const other = site({ names: ['other.example'], handlers: [proxy('127.0.0.1:8080')] });
  const [view, , stranger] = views([front, back, other], [pool()]);
  assert.deepEqual([view?.owner?.name, view?.handledBy], ['alice', ['Apache, FPM 8.4 shop']]);
  assert.deepEqual([stranger?.owner, stranger?.handledBy], [undefined, ['proxy 127.0.0.1:8080']]);
});

const poolMessages = (pools: readonly Pool[], host: Host) =>
  overviewOf([], [], pools, factsOf(host)).poolFindings.map((each) => each.message);

test('overviewOf() reports pool files and sockets that a tenant can change', () => {
  const file = '/etc/php/shop.conf';
  assert.deepEqual(poolMessages([pool()], { owners: { [file]: [0, 0], '/run/php': [0, 33] } }), []);
  assert.match(
    poolMessages([pool()], { owners: { [file]: [0, 1001] } }).join('\n'),
    /\/etc\/php\/shop.conf can be changed by alice/,
  );
  assert.match(
    poolMessages([pool()], { owners: { [file]: [0, 0] }, writable: [file] }).join('\n'),
    /can be written by others; run: chmod go-w/,
  );
  assert.match(
    poolMessages([pool({ listen: '/home/bob/x.sock' })], {
      owners: { '/home/bob': [0, 1002] },
    }).join('\n'),
    /socket \/home\/bob\/x.sock is in a directory of bob/,
  );
});

test("fileFinding() accepts a panel's own account as the writer of its pool files", () => {
  const findingOf = (php: string, isTenant: boolean) =>
    fileFinding(
      '/data/users/a/php.conf',
      {
        ownersOf: () => ({ uids: [0, 900], writableByOthers: false }),
        nameOf: () => 'diradmin',
        isTenant: () => isTenant,
      },
      php,
    );
  assert.equal(findingOf('da-php83', false), undefined);
  assert.match(findingOf('ea-php83', false)?.reason ?? '', /can be changed by diradmin/);
  // A tenant that has taken the name is none.
  assert.match(findingOf('da-php83', true)?.reason ?? '', /can be changed by diradmin/);
});

test('overviewOf() reports a pool section in two files, and an address of two pools', () => {
  const places = ['/a.conf', '/b.conf'].map((file) => ({ file, line: 3 }));
  assert.deepEqual(poolMessages([pool({ places })], {}), [
    'it is begun at /a.conf:3 and changed at /b.conf:3; give the other pool a name of its own',
  ]);
  assert.deepEqual(poolMessages([pool(), pool({ name: 'two', php: '8.2' })], {}), [
    'it listens at /run/php/shop.sock, as the pool shop of PHP 8.4 does',
  ]);
});

test('overviewOf() recognizes panels by their paths, and customers with several uids', () => {
  const names = (sites: readonly ServerSite[], pools: readonly Pool[]) =>
    overviewOf([], sites, pools, factsOf({})).panels;
  assert.deepEqual(names([site()], [pool()]), []);
  assert.deepEqual(names([site({ file: '/home/alice/conf/web/shop.example/nginx.conf' })], []), [
    { name: 'HestiaCP', customers: [] },
  ]);
  const web = (number: number) =>
    pool({
      name: `web${number}`,
      user: `web${number}`,
      group: 'client3',
      listen: `/var/lib/php8.4-fpm/web${number}.sock`,
    });
  assert.deepEqual(names([site({ root: '/var/www/clients/client4/web9/web' })], [web(1), web(2)]), [
    { name: 'ISPConfig', customers: [{ name: 'client3', users: ['web1', 'web2'] }] },
  ]);
  const id = '168541234567890';
  assert.deepEqual(names([], [pool({ name: id, listen: `/run/php/${id}.sock` })]), [
    { name: 'Virtualmin', customers: [] },
  ]);
});
