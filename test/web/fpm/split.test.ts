/** Which pools get a service, as php-fpm's own words and the files say; nothing is run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
  printChoice,
} from '../../../src/web/core/fpm/service/choice.ts';
import { originOfLine, ownPool, serviceConfig } from '../../../src/web/core/fpm/service/config.ts';
import { IdleWatch, parseActivity } from '../../../src/web/core/fpm/service/idle.ts';
import { descriptorName, listenOf } from '../../../src/web/core/fpm/service/listen.ts';
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
  parseUnitName,
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
  ...more,
});

const file = (path: string, text: string, isPublic = true): PoolFile => ({
  ...parseFpmFile(text),
  path: `/pools/${path}`,
  text,
  isPublic,
});

/** As `php-fpm -tt` prints it. */
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

test('pools of chosen tenants leave, and the rest stays', () => {
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

test('what is not understood stays, with the reason', () => {
  const cases: readonly (readonly [string, RegExp, boolean?, Partial<SplitFacts>?])[] = [
    [`${pool('a', 'alice')}include = /x/*.conf\n`, /includes another/],
    [`process.max = 3\n${pool('a', 'alice')}`, /line 1 .* before any section/],
    [`[global]\n${pool('a', 'alice')}`, /\[global\]/],
    [pool('a b', 'alice'), /its name/],
    [pool('a', 'alice', 'listen.acl_users = www-data\n'), /access list/],
    [pool('a', 'alice', 'pm.status_listen = 127.0.0.1:99\n'), /status/],
    [pool('a', 'alice', 'listen = 9000\n'), /not at an address in digits/],
    [pool('a', 'alice', 'listen = localhost:9000\n'), /not at an address in digits/],
    [pool('a', 'alice', 'listen = /run/a=b,c.sock\n'), /a path that/],
    [pool('a', 'alice', 'listen = /run/../etc/a.sock\n'), /a path that/],
    [pool('a', 'alice', 'listen.owner = a b\n'), /listen.owner/],
    [pool('a', 'alice', 'group = ghosts\n'), /group ghosts is not known/],
    [pool('a', 'bob'), /other tenants have the group of bob/, false],
    [pool('a', 'alice'), /is alice's/, true, { unsafeFile: () => "its file is alice's" }],
    [pool('a', 'alice'), /in her home/, true, { unsafeDirectory: () => 'in her home' }],
    [pool('a', 'alice'), /stays as it is/, true, { isPinned: () => true }],
  ];
  for (const [text, reason, isPublic = true, more] of cases) {
    const found = split([file('x.conf', text, isPublic)], more);
    assert.deepEqual(names(found), [], text);
    assert.match(reasons(found)[0] ?? '', reason, text);
  }
});

test('a file leaves whole or not at all', () => {
  const found = split([file('two.conf', pool('a', 'alice') + pool('w', 'www-data'))]);
  assert.deepEqual(names(found), []);
  assert.deepEqual(reasons(found), ['another pool of its file has to stay', undefined]);
});

test('a pool that another file goes on with belongs to nobody alone', () => {
  const files = [file('a.conf', pool('a', 'alice')), file('b.conf', '[a]\nuser = alice\n')];
  const found = splitPools(dump(pool('a', 'alice')), files, facts());
  assert.match(reasons(found)[0] ?? '', /goes on at \/pools\/b\.conf:1/);
  const same = split([
    file('a.conf', pool('a', 'alice')),
    file('b.conf', pool('b', 'alice', 'listen = /run/php/a.sock\n')),
  ]);
  assert.match(reasons(same)[0] ?? '', /another pool listens at/);
});

test('where a pinned service listens, its files stay out of the rest', () => {
  const files = [file('a.conf', pool('a', 'alice')), file('w.conf', pool('w', 'www-data'))];
  const found = split(files, { isPinned: (listen) => listen === '/run/php/a.sock' });
  assert.deepEqual(
    found.keptFiles.map(({ path }) => path),
    ['/pools/w.conf'],
  );
});

test('a master is root only for what needs it', () => {
  const asRoot = (more: string, user = 'alice') =>
    split([file('x.conf', pool('x', user, more))]).services[0]?.asRoot;
  assert.equal(asRoot(''), undefined);
  assert.equal(asRoot('group = alice\nrlimit_files = 0\n'), undefined);
  assert.equal(asRoot('group = www-data\n'), 'pool x has group www-data');
  assert.equal(asRoot('chroot = /home/alice\n'), 'pool x has chroot');
  assert.equal(asRoot('slowlog = /var/log/slow\n'), 'pool x has slowlog');
  assert.equal(asRoot('', '1002'), undefined);
});

test('listen() is what systemd and php-fpm call it', () => {
  const read = (text: string) => {
    const found = listenOf(text);
    return typeof found === 'string' ? undefined : [found.stream, found.key, descriptorName(found)];
  };
  assert.deepEqual(read('/run/php/a.sock'), [
    '/run/php/a.sock',
    '/run/php/a.sock',
    '/run/php/a.sock',
  ]);
  assert.deepEqual(read('127.0.0.1:9010'), ['127.0.0.1:9010', '127.0.0.1:9010', '127.0.0.1;9010']);
  assert.deepEqual(read('[::1]:9010'), ['[::1]:9010', '::1:9010', ';;1;9010']);
  const bad = [
    '127.0.0.001:90',
    '[0:0::1]:90',
    '127.0.0.1:0',
    '127.0.0.1:70000',
    '1.2.3.400:1',
    'x',
    '',
    `/${'a'.repeat(120)}`,
    '/a/',
    '//a',
    '/a%i',
  ];
  for (const text of bad) assert.equal(read(text), undefined, text);
});

test('a choice survives its file', () => {
  let choice = choosingAll(nobody);
  choice = leaving(choice, 1003);
  choice = choosing(choice, 1002, true);
  assert.deepEqual(parseChoice(printChoice(choice)), choice);
  assert.deepEqual(
    [1001, 1002, 1003].map((uid) => isChosen(choice, uid)),
    [true, true, false],
  );
  assert.equal(isNobody(leaving(choosing(nobody, 1001, false), 1001)), true);
  assert.deepEqual(parseChoice('all\ntenant root\n'), { badLine: 2 });
  assert.deepEqual(parseChoice('all \n'), { badLine: 1 });
});

test('lines of a configuration lead back to the file that they were copied from', () => {
  const files = [file('a.conf', pool('a', 'alice')), file('b.conf', '[b]\nx = 1')];
  const [service] = split([files[0]!]).services;
  assert.ok(service);
  const text = serviceConfig({ ...service, files }, '8.4');
  assert.match(text, /^process\.max = 8$/m);
  const line = text.split('\n').indexOf('x = 1') + 1;
  assert.deepEqual(originOfLine(text, line), { file: '/pools/b.conf', line: 2 });
  assert.equal(originOfLine(text, 2), undefined);
});

test('workers are as many as entries, and no pool is left without', () => {
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

test('a pool of our own has as many workers as entries', () => {
  const values = (tenant: ServiceTenant) =>
    [...ownPool(tenant, '8.4', 'www-data').matchAll(/^pm\.\S+ = (\d+)$/gm)].map(([, n]) =>
      Number(n),
    );
  assert.deepEqual(values(alice), [8, 5, 5, 8]);
  assert.deepEqual(values({ ...alice, entries: 1 }), [1, 1, 1, 1]);
  assert.deepEqual(values(bob), [20, 5, 5, 10]);
});

test('the main file keeps its text, and each include has links of its own', () => {
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
  assert.deepEqual([...made.links], [['1/000001-w.conf', '/pools/w.conf']]);
});

const setting = {
  instance: 'bulkhead',
  php: '8.4',
  program: '/usr/sbin/php-fpm8.4',
  libexec: '/x/libexec',
  directory: '/etc/bulkhead/fpm/8.4',
  hasPollLimit: true,
};

test('units are for one tenant, and their names say whose they are', () => {
  const [service] = split([file('a.conf', pool('a', 'alice'))]).services;
  assert.ok(service?.pools[0]);
  const tree = serviceUnit(setting, service, { kind: 'launcher', instance: 'bulkhead' });
  assert.match(tree, /^ExecStart=\/x\/libexec\/bulkhead-fpm tenant bulkhead 1001 /m);
  assert.doesNotMatch(tree, /^(User|Slice|NoNewPrivileges)=/m);
  const slice = serviceUnit(setting, service, { kind: 'slice' });
  assert.match(slice, /^Slice=user-1001\.slice\nUser=1001$/m);
  assert.match(slice, /bulkhead-fpm here - 1001 /);
  const root = { ...service, asRoot: 'pool a has chroot' };
  assert.match(
    serviceUnit(setting, root, { kind: 'slice' }),
    /^Slice=user-1001\.slice\nExecStart/m,
  );
  assert.match(serviceUnit(setting, root, { kind: 'slice' }), /^ReadOnlyPaths=\/run\/php$/m);
  const socket = socketUnit(setting, service, service.pools[0]);
  assert.match(socket, /^PollLimitBurst=5$/m);
  assert.match(socket, /^SocketMode=0660$/m);
  const older = socketUnit({ ...setting, hasPollLimit: false }, service, service.pools[0]);
  assert.doesNotMatch(older, /PollLimit/);
  assert.match(serviceUnit(setting, service, { kind: 'slice' }), /sleep 2/);
  for (const line of distributionDropIn(setting, undefined).match(/^Exec\w+=.*split.*$/gm) ?? [])
    assert.match(line, /=-\//);
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

test('a master is idle when it has served nothing for long enough, and only then', () => {
  const text = (active: number, requests: number) =>
    `Processes active: ${active}, idle: 2, Requests: ${requests}, slow: 0, Traffic: 0.00req/sec`;
  assert.deepEqual(parseActivity(text(1, 7)), { active: 1, requests: 7 });
  for (const other of [
    '',
    'Ready to handle connections',
    'Processes active: -1, idle: 0, Requests: 0,',
  ])
    assert.equal(parseActivity(other), undefined);
  const watch = new IdleWatch(100);
  const at = (ms: number, shown: string) => watch.toStop([{ unit: 'a', text: shown }], ms);
  assert.deepEqual(at(0, text(0, 5)), []);
  assert.deepEqual(at(99, text(0, 5)), []);
  assert.deepEqual(at(150, text(0, 6)), []);
  assert.deepEqual(at(200, text(1, 6)), []);
  assert.deepEqual(at(300, text(0, 6)), []);
  assert.deepEqual(at(350, 'Ready'), []);
  assert.deepEqual(at(400, text(0, 6)), []);
  assert.deepEqual(at(500, text(0, 6)), ['a']);
  assert.deepEqual(watch.toStop([], 600), []);
  assert.deepEqual(at(700, text(0, 6)), []);
});
