/** Which pools get a service, as php-fpm's own words and the files say; nothing is run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../../src/web/core/address.ts';
import { parseFpmSections } from '../../../src/web/core/fpm/dump.ts';
import { parseFpmFile } from '../../../src/web/core/fpm/file.ts';
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
import { originOfLine, ownPool, serviceConfig } from '../../../src/web/core/fpm/service/config.ts';
import { IdleWatch, workText } from '../../../src/web/core/fpm/service/idle.ts';
import { listenOf } from '../../../src/web/core/fpm/service/listen.ts';
import { PoolSites } from '../../../src/web/core/fpm/service/pool-sites.ts';
import { mainFile } from '../../../src/web/core/fpm/service/main-file.ts';
import {
  splitPools,
  type PoolFile,
  type ServiceTenant,
  type Split,
  type SplitFacts,
} from '../../../src/web/core/fpm/service/split.ts';
import {
  distributionDropIn,
  isConfigName,
  parseUnitName,
  serviceName,
  serviceUnit,
  socketUnit,
} from '../../../src/web/core/fpm/service/units.ts';

const alice: ServiceTenant = { uid: 1001, gid: 1001, user: 'alice', entries: 8, hasOwnGroup: true };
const bob: ServiceTenant = { uid: 1002, gid: 100, user: 'bob', hasOwnGroup: false };
const tenants = [alice, bob];

const facts = (more: Partial<SplitFacts> = {}): SplitFacts => ({
  tenantOf: (user) => tenants.find((each) => each.user === user || String(each.uid) === user),
  isChosen: () => true,
  gidOf: (group) => ({ alice: 1001, users: 100, 'www-data': 33 })[group],
  unsafeFile: () => undefined,
  unsafeDirectory: () => undefined,
  isPinned: () => false,
  siteOf: () => undefined,
  ...more,
});

const file = (path: string, text: string, isPublic = true): PoolFile => ({
  ...parseFpmFile(text),
  path: `/pools/${path}`,
  text,
  isPublic,
});

/** Parses sections from a text in the format of `php-fpm -tt`. */
const dump = (text: string) =>
  parseFpmSections(
    text
      .split('\n')
      .map((line) => `[NOTICE] ${line.startsWith('[') ? line : `\t${line}`}`)
      .join('\n'),
  );

const pool = (name: string, user: string, more = '') =>
  `[${name}]\nuser = ${user}\nlisten = /run/php/${name}.sock\npm = dynamic\n${more}`;

/** Each file has the pools that its text says. */
const split = (files: readonly PoolFile[], more: Partial<SplitFacts> = {}): Split =>
  splitPools(dump(files.map(({ text }) => text).join('')), files, facts(more));

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

test("serviceConfig() uses the lower entries limit of tenant and site, and the site's names", () => {
  const siteOf = () => 'shop.example';
  const [service] = split([file('a.conf', pool('a', 'alice'))], { siteOf }).services;
  assert.ok(service?.pools[0]);
  const max = (entries: number | undefined, ofSite: number | undefined) => {
    const { entries: _entries, ...rest } = service.tenant;
    const site = { name: 'shop.example', ...(ofSite === undefined ? {} : { entries: ofSite }) };
    const tenant = { ...rest, ...(entries === undefined ? {} : { entries }), sites: [site] };
    const text = serviceConfig({ ...service, tenant }, '8.4');
    return /^process\.max = (\d+)$/m.exec(text)?.[1];
  };
  assert.deepEqual([max(8, 5), max(3, 5), max(8, undefined)], ['5', '3', '8']);
  assert.deepEqual([max(undefined, 5), max(undefined, undefined)], ['5', undefined]);
  assert.match(
    serviceConfig(service, '8.4'),
    /^syslog\.ident = php-fpm8\.4-alice\/shop\.example$/m,
  );
  const entry = { kind: 'launcher', instance: 'bulkhead', isJailed: false } as const;
  assert.match(
    serviceUnit(setting, service, entry),
    /^ExecStart=.* 1001 \S+ \/etc\/bulkhead\/fpm\/8\.4\/1001-shop\.example\.conf shop\.example$/m,
  );
  // The name of the socket does not change with the site.
  assert.match(
    socketUnit(setting, service, service.pools[0]),
    /^Service=bulkhead-fpm84@1001:shop\.example\.service$/m,
  );
  assert.deepEqual(parseUnitName(setting, serviceName(setting, service)), {
    uid: 1001,
    type: 'service',
    site: 'shop.example',
  });
  for (const name of ['1001.conf', '1001-shop.example.conf'])
    assert.equal(isConfigName(name), true, name);
  for (const name of ['php-fpm.conf', '1001-.conf', '1001-Shop.conf', '1001-a.conf.bak', 'tenants'])
    assert.equal(isConfigName(name), false, name);
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

test('serviceConfig() allows as many workers as entries, and enough for every pool', () => {
  const max = (...pms: readonly string[]) => {
    const files = pms.map((pm, index) => file(`${index}.conf`, pool(`p${index}`, 'alice', pm)));
    const [service] = split(files).services;
    assert.ok(service);
    return Number(/^process\.max = (\d+)$/m.exec(serviceConfig(service, '8.4'))?.[1]);
  };
  const dynamic = 'pm.start_servers = 5\npm.min_spare_servers = 2\n';
  const onDemand = 'pm = ondemand\n';
  assert.equal(max(dynamic), 8);
  assert.equal(max('pm = static\npm.max_children = 30\n'), 8);
  assert.equal(max(onDemand, onDemand), 8);
  assert.equal(max(dynamic, dynamic), 10);
  assert.equal(max(dynamic, 'pm = static\npm.max_children = 30\n', onDemand), 36);
});

test('ownPool() has as many workers as entries', () => {
  const values = (tenant: ServiceTenant) =>
    [...ownPool(tenant, '8.4', 'www-data').matchAll(/^pm\.\S+ = (\d+)$/gm)].map(([, n]) =>
      Number(n),
    );
  assert.deepEqual(values(alice), [8, 5, 5, 8]);
  assert.deepEqual(values({ ...alice, entries: 1 }), [1, 1, 1, 1]);
  assert.deepEqual(values(bob), [20, 5, 5, 10]);
});

test('mainFile() keeps its text, and links each include to its own directory', () => {
  const kept = file('w.conf', pool('w', 'www-data'));
  const made = mainFile(
    '[global]\n; include = no\ninclude=/pools/*.conf\n  include = "/more/*.conf"\n',
    [
      { pattern: '/pools/*.conf', files: [file('a.conf', ''), kept] },
      { pattern: '/more/*.conf', files: [] },
    ],
    [kept],
    '/links',
    '/run/none.sock',
  );
  assert.match(
    made.text,
    /^; include = no\ninclude=\/links\/1\/\*\.conf\n {2}include = \/links\/2\/\*\.conf$/m,
  );
  assert.deepEqual(
    [...made.links],
    [
      ['1/000001-w.conf', '/pools/w.conf'],
      // Its directory has to be there.
      ['2/000000-none.conf', '/dev/null'],
    ],
  );
});

const setting = {
  instance: 'bulkhead',
  php: '8.4',
  program: '/usr/sbin/php-fpm8.4',
  libexec: '/x/libexec',
  directory: '/etc/bulkhead/fpm/8.4',
  hasPollLimit: true,
};

test('serviceUnit() and socketUnit() are for one tenant, and parseUnitName() reads their names', () => {
  const [service] = split([file('a.conf', pool('a', 'alice'))]).services;
  assert.ok(service?.pools[0]);
  const tree = serviceUnit(setting, service, {
    kind: 'launcher',
    instance: 'bulkhead',
    isJailed: false,
  });
  assert.match(tree, /^ExecStart=\/x\/libexec\/bulkhead-fpm tenant bulkhead 1001 /m);
  assert.doesNotMatch(tree, /^(User|Slice|NoNewPrivileges)=/m);
  const inSlice = { kind: 'slice', instance: 'bulkhead', isJailed: false } as const;
  const slice = serviceUnit(setting, service, inSlice);
  assert.match(slice, /^Slice=user-1001\.slice\nUser=1001$/m);
  assert.match(slice, /^ExecStart=\+\/x\/libexec\/bulkhead-fpm slice bulkhead 1001:1001 /m);
  const site = { ...service, site: 'my-shop.example' };
  const siteSlice = serviceUnit(setting, site, inSlice);
  assert.match(siteSlice, /^Slice=user-1001-my\\x2dshop\.example\.slice$/m);
  assert.match(siteSlice, / \S+1001-my-shop\.example\.conf my-shop\.example$/m);
  const root = { ...service, asRoot: 'pool a has chroot' };
  assert.match(
    serviceUnit(setting, root, inSlice),
    /^Slice=user-1001\.slice\nExecStart=\/x\/libexec\/bulkhead-fpm slice-root bulkhead 1001 /m,
  );
  assert.match(serviceUnit(setting, root, inSlice), /^ReadOnlyPaths=\/run\/php$/m);
  const socket = socketUnit(setting, service, service.pools[0]);
  assert.match(socket, /^PollLimitBurst=5$/m);
  assert.match(socket, /^SocketMode=0660$/m);
  const older = socketUnit({ ...setting, hasPollLimit: false }, service, service.pools[0]);
  assert.doesNotMatch(older, /PollLimit/);
  assert.match(serviceUnit(setting, service, inSlice), /sleep 2/);
  for (const each of [tree, slice, socket])
    assert.match(each, /^ConditionPathExists=!\/var\/lib\/bulkhead\/stopped\/1001$/m);
  for (const each of [tree, slice, serviceUnit(setting, root, inSlice)]) {
    // A process of the tenant's has nothing to say to systemd, and its end is bounded.
    assert.match(each, /^Type=exec\nNotifyAccess=none$/m);
    assert.match(each, /^SendSIGKILL=yes\nTimeoutStopSec=60$/m);
    assert.match(each, /^OOMPolicy=continue$/m);
  }
  assert.deepEqual(
    distributionDropIn(setting, undefined)
      .match(/^Exec\w+=.*fpm-sync.*$/gm)
      ?.map((line) => line.replace(/\/x\/\S+ bulkhead 8\.4/, '')),
    ['ExecStartPre=-+ start', 'ExecReload=-+ reload', 'ExecReload=+ reloaded'],
  );
  assert.deepEqual(parseUnitName(setting, 'bulkhead-fpm84@1001.service'), {
    uid: 1001,
    type: 'service',
  });
  assert.deepEqual(parseUnitName(setting, 'bulkhead-fpm84@1001:a.b.socket'), {
    uid: 1001,
    type: 'socket',
  });
  for (const name of [
    'bulkhead-fpm83@1001.service',
    'bulkhead-fpm84@.service',
    'bulkhead-fpm84@root.service',
    'bulkhead-fpm84@1001:a b.socket',
    'php8.4-fpm.service',
  ])
    assert.equal(parseUnitName(setting, name), undefined, name);
});

test('IdleWatch stops a master only when its workers have done nothing for long enough', () => {
  const master = { startTime: 7, children: 100 };
  const worker = { pid: 5, startTime: 8, waits: 3, isWaiting: true };
  const idle = workText(master, [worker]);
  assert.ok(idle !== undefined);
  assert.equal(workText(master, [worker, { ...worker, pid: 6, isWaiting: false }]), undefined);
  for (const other of [
    workText(master, [{ ...worker, waits: 4 }]),
    workText(master, []),
    workText({ ...master, children: 101 }, [worker]),
    workText({ ...master, startTime: 8 }, [worker]),
  ])
    assert.notEqual(other, idle);
  const watch = new IdleWatch(100);
  const at = (ms: number, work?: string) =>
    watch.toStop([{ unit: 'a', ...(work !== undefined && { work }) }], ms);
  assert.deepEqual(at(0, 'x'), []);
  assert.deepEqual(at(99, 'x'), []);
  assert.deepEqual(at(150, 'y'), []);
  assert.deepEqual(at(200), []);
  assert.deepEqual(at(300, 'y'), []);
  assert.deepEqual(at(400, 'y'), ['a']);
  assert.deepEqual(watch.toStop([], 600), []);
  assert.deepEqual(at(700, 'y'), []);
});
