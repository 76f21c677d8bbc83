/** Pools that get a service, as php-fpm's own words and the files have them; nothing is run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../../src/web/core/address.ts';
import {
  choosing,
  choosingAll,
  isChosen,
  isNobody,
  leaving,
  nobody,
  parseChoice,
  formatChoice,
} from '../../../src/web/core/fpm/service/choice.ts';
import { originOfLine, serviceConfig } from '../../../src/web/core/fpm/service/config.ts';
import { listenOf } from '../../../src/web/core/fpm/service/listen.ts';
import { PoolSites } from '../../../src/web/core/fpm/service/pool-sites.ts';
import {
  splitPools,
  type Split,
  type SplitFacts,
} from '../../../src/web/core/fpm/service/split.ts';
import { dump, facts, file, pool, split } from './split-pools.ts';

const names = ({ services }: Split) =>
  services.flatMap(({ pools }) => pools.map((each) => each.name));

const reasons = ({ kept }: Split) => kept.map((each) => each.reason);

test('splitPools() moves pools of chosen tenants into services, and keeps the rest', () => {
  const files = [
    file('a.conf', pool('a', 'alice')),
    file('b.conf', pool('b', '1002')),
    file('www.conf', pool('www', 'www-data')),
  ];
  const all = split(files);
  assert.deepEqual(names(all), ['a', 'b']);
  assert.deepEqual(
    all.keptFiles.map(({ path }) => path),
    ['/pools/www.conf'],
  );
  assert.deepEqual(all.kept, [
    {
      pool: 'www',
      user: 'www-data',
      listen: '/run/php/www.sock',
      place: '/pools/www.conf:1',
      files: ['/pools/www.conf'],
    },
  ]);
  assert.deepEqual(names(split(files, { isChosen: (uid) => uid === 1002 })), ['b']);
});

test('splitPools() keeps pools that it does not understand, with the reason', () => {
  const cases: readonly (readonly [string, RegExp, boolean?, Partial<SplitFacts>?])[] = [
    [`${pool('a', 'alice')}include = /x/*.conf\n`, /includes another/],
    [`process.max = 3\n${pool('a', 'alice')}`, /line 1 .* before any section/],
    [`[global]\n${pool('a', 'alice')}`, /\[global\]/],
    [pool('a b', 'alice'), /its name/],
    [pool('a', 'alice', 'listen.acl_users = www-data\n'), /access list/],
    [pool('a', 'alice', 'pm.status_listen = 127.0.0.1:99\n'), /status/],
    [pool('a', 'alice', 'listen = 9000\n'), /any account could take a port/],
    [pool('a', 'alice', 'listen = 127.0.0.1:9000\n'), /any account could take a port/],
    [pool('a', 'alice', 'listen = /run/a=b,c.sock\n'), /a path that/],
    [pool('a', 'alice', 'listen = /run/../etc/a.sock\n'), /a path that/],
    [pool('a', 'alice', 'listen.owner = a b\n'), /listen.owner/],
    [pool('a', 'alice', 'group = ghosts\n'), /group ghosts is not known/],
    [pool('a', 'bob'), /other tenants have the group of bob/, false],
    [
      pool('a', 'alice'),
      /is alice's/,
      true,
      { unsafeFile: () => ({ reason: "its file is alice's" }) },
    ],
    [
      pool('a', 'alice'),
      /in her home/,
      true,
      { unsafeDirectory: () => ({ reason: 'in her home' }) },
    ],
    [pool('a', 'alice'), /stays as it is/, true, { isPinned: () => true }],
    [
      pool('a', 'alice'),
      /a pool of PHP ea-php83 listens at \/run\/php\/a\.sock, too; remove one/,
      true,
      { claimedBy: (listen) => (listen === '/run/php/a.sock' ? 'ea-php83' : undefined) },
    ],
  ];
  for (const [text, reason, isPublic = true, more] of cases) {
    const found = split([file('x.conf', text, isPublic)], more);
    assert.deepEqual(names(found), [], text);
    assert.match(reasons(found)[0] ?? '', reason, text);
  }
});

test('splitPools() keeps a file when any of its pools must stay', () => {
  const found = split([file('two.conf', pool('a', 'alice') + pool('w', 'www-data'))]);
  assert.deepEqual(names(found), []);
  assert.deepEqual(reasons(found), ['another pool of its file has to stay', undefined]);
});

test('splitPools() keeps a pool that two files have, or whose address two pools have', () => {
  const files = [file('a.conf', pool('a', 'alice')), file('b.conf', '[a]\nuser = alice\n')];
  const found = splitPools(dump(pool('a', 'alice')), files, facts());
  assert.match(reasons(found)[0] ?? '', /goes on at \/pools\/b\.conf:1/);
  const same = split([
    file('a.conf', pool('a', 'alice')),
    file('b.conf', pool('b', 'alice', 'listen = /run/php/a.sock\n')),
  ]);
  assert.match(reasons(same)[0] ?? '', /another pool listens at/);
});

test("splitPools() leaves out the file of a pinned service's pool", () => {
  const files = [file('a.conf', pool('a', 'alice')), file('w.conf', pool('w', 'www-data'))];
  const found = split(files, { isPinned: (listen) => listen === '/run/php/a.sock' });
  assert.deepEqual(
    found.keptFiles.map(({ path }) => path),
    ['/pools/w.conf'],
  );
});

test('splitPools() sets asRoot only for a foreign group, chroot or slowlog', () => {
  const asRoot = (more: string, user = 'alice') =>
    split([file('x.conf', pool('x', user, more))]).services[0]?.asRoot;
  assert.equal(asRoot(''), undefined);
  assert.equal(asRoot('group = alice\nrlimit_files = 0\n'), undefined);
  assert.equal(asRoot('group = www-data\n'), 'pool x has group www-data');
  assert.equal(asRoot('chroot = /home/alice\n'), 'pool x has chroot');
  assert.equal(asRoot('slowlog = /var/log/slow\n'), 'pool x has slowlog');
  assert.equal(asRoot('', '1002'), undefined);
});

test('listenOf() accepts only paths that systemd and php-fpm write the same way', () => {
  const read = (text: string) => {
    const found = listenOf(text);
    return found.ok ? found.value.stream : undefined;
  };
  assert.equal(read('/run/php/a.sock'), '/run/php/a.sock');
  const bad = [
    '127.0.0.1:9010',
    '[::1]:9010',
    '9000',
    'x',
    '',
    `/${'a'.repeat(120)}`,
    '/a/',
    '//a',
    '/a%i',
  ];
  for (const text of bad) assert.equal(read(text), undefined, text);
});

const vhost = (names: readonly string[], to: string) => {
  const address = parseAddress(to);
  assert.ok(address);
  return { names, handlers: [{ kind: 'fastcgi', address, text: to } as const] };
};

test('PoolSites finds the site that all vhosts of a pool have in common', () => {
  const sites = new PoolSites([
    vhost(['shop.example', 'www.shop.example', '*.shop.example'], '/run/php/shop.sock'),
    vhost(['old.example', 'Shop.Example'], '/run/php/shop.sock'),
    vhost(['blog.example'], '127.0.0.1:9000'),
    vhost(['blog.example'], '/run/php/both.sock'),
    vhost(['shop.example'], '/run/php/both.sock'),
    vhost(['shop.example'], '/run/php/more.sock'),
    vhost(['elsewhere.example'], '/run/php/more.sock'),
    vhost(['www.shop.example'], '/run/php/www.sock'),
    vhost([], '/run/php/nameless.sock'),
    { names: ['shop.example'], handlers: [{ kind: 'fastcgi', text: '$pool' }] },
  ]);
  const of = (listen: string, names = ['shop.example', 'blog.example']) =>
    sites.at(listen, [new Set(names)]);
  assert.equal(of('/run/php/shop.sock'), 'shop.example');
  assert.equal(of('127.0.0.1:9000'), 'blog.example');
  assert.equal(of('/run/php/www.sock', ['shop.example', 'www.shop.example']), 'www.shop.example');
  assert.equal(of('/run/php/shop.sock', ['blog.example']), undefined);
  // One of its two vhosts belongs to another site.
  assert.equal(of('/run/php/shop.sock', ['old.example', 'shop.example']), undefined);
  for (const name of ['both', 'more', 'www', 'nameless', 'nobody'])
    assert.equal(of(`/run/php/${name}.sock`), undefined, name);
  assert.equal(of('$pool'), undefined);
  assert.equal(of('/run/php/shop.sock', []), undefined);
});

test('splitPools() makes a service for each site, and moves a file into one service only', () => {
  const two = `${pool('c', 'alice')}${pool('d', 'alice')}`;
  const files = [
    file('a.conf', pool('a', 'alice')),
    file('b.conf', pool('b', 'alice')),
    file('two.conf', two),
    file('e.conf', pool('e', 'bob')),
  ];
  const services = (sites: Readonly<Record<string, string>>) =>
    split(files, {
      siteOf: ({ uid }, listen) => (uid === 1001 ? sites[listen.slice(9, -5)] : undefined),
    }).services.map(({ tenant, site, pools }) => [
      tenant.user,
      site,
      pools.map(({ name }) => name).join(' '),
    ]);
  assert.deepEqual(services({}), [
    ['alice', undefined, 'a b c d'],
    ['bob', undefined, 'e'],
  ]);
  assert.deepEqual(services({ a: 'shop.example', c: 'shop.example', e: 'shop.example' }), [
    ['alice', undefined, 'b c d'],
    ['alice', 'shop.example', 'a'],
    ['bob', undefined, 'e'],
  ]);
  const all = { a: 'z.example', b: 'b.example', c: 'b.example', d: 'b.example' };
  assert.deepEqual(services(all), [
    ['alice', 'b.example', 'b c d'],
    ['alice', 'z.example', 'a'],
    ['bob', undefined, 'e'],
  ]);
});

test('parseChoice() reads what formatChoice() wrote, and reports the line of an error', () => {
  let choice = choosingAll(nobody);
  choice = leaving(choice, 1003);
  choice = choosing(choice, 1002, true);
  assert.deepEqual(parseChoice(formatChoice(choice)), choice);
  assert.deepEqual(
    [1001, 1002, 1003].map((uid) => isChosen(choice, uid)),
    [true, true, false],
  );
  assert.equal(isNobody(leaving(choosing(nobody, 1001, false), 1001)), true);
  assert.deepEqual(parseChoice('all\ntenant root\n'), { badLine: 2 });
  assert.deepEqual(parseChoice('all \n'), { badLine: 1 });
});

test('originOfLine() returns the file and line that a line was copied from', () => {
  const files = [file('a.conf', pool('a', 'alice')), file('b.conf', '[b]\nx = 1')];
  const [service] = split([files[0]!]).services;
  assert.ok(service);
  const text = serviceConfig({ ...service, files }, '8.4');
  assert.match(text, /^process\.max = 8$/m);
  const line = text.split('\n').indexOf('x = 1') + 1;
  assert.deepEqual(originOfLine(text, line), { file: '/pools/b.conf', line: 2 });
  assert.equal(originOfLine(text, 2), undefined);
});
