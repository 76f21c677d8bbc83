/** The owner of each site and its placement, by facts of a host that is made up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, formatAddress } from '../../src/web/core/address.ts';
import type { AccountFacts, Listener, PathOwners } from '../../src/web/core/facts.ts';
import type { Pool } from '../../src/web/core/fpm/pools.ts';
import { webNotes } from '../../src/web/core/notes.ts';
import { overviewOf, type SiteView } from '../../src/web/core/overview.ts';
import type { Handler, ServerSite } from '../../src/web/core/site.ts';
import { overviewText } from '../../src/web/commands/status-text.ts';

const uids: Readonly<Record<string, number>> = { alice: 1001, bob: 1002, 'www-data': 33, root: 0 };
const inside = '0::/bulkhead/';

interface Host {
  readonly owners?: Readonly<Record<string, readonly number[]>>;
  readonly writable?: readonly string[];
  readonly listeners?: Readonly<Record<string, readonly Listener[]>>;
  readonly agentRuns?: boolean;
  readonly applied?: boolean;
}

function factsOf({
  owners = {},
  writable = [],
  listeners = {},
  agentRuns = true,
  applied = true,
}: Host): AccountFacts {
  return {
    uidOf: (user) => uids[user],
    nameOf: (uid) => Object.keys(uids).find((each) => uids[each] === uid) ?? `uid ${uid}`,
    isTenant: (uid) => uid === 1001 || uid === 1002,
    ownersOf: (path): PathOwners | undefined => {
      const of = owners[path];
      if (of === undefined) return undefined;
      return { uids: of, writableByOthers: writable.includes(path) };
    },
    listenersAt: (address) => listeners[formatAddress(address)] ?? [],
    isInside: (uid, text) => (applied ? text === `${inside}u${uid}` : undefined),
    agentRuns,
  };
}

const fastcgi = (text: string): Handler => {
  const address = parseAddress(text);
  return { kind: 'fastcgi', text, ...(address === undefined ? {} : { address }) };
};
const proxy = (text: string): Handler => ({ ...fastcgi(text), kind: 'proxy' });

function site(more: Partial<ServerSite> = {}): ServerSite {
  const place = { file: '/etc/nginx/s.conf', line: 1 };
  return {
    server: 'nginx',
    names: ['shop.example'],
    listen: ['80'],
    handlers: [],
    overrides: [],
    ...place,
    ...more,
  };
}

function pool(more: Partial<Pool> = {}): Pool {
  const user = more.user ?? 'alice';
  const listen = more.listen ?? '/run/php/shop.sock';
  const address = parseAddress(listen);
  const uid = uids[user];
  return {
    name: 'shop',
    php: '8.4',
    pm: 'dynamic',
    childrenMax: 5,
    places: [{ file: '/etc/php/shop.conf', line: 1 }],
    ...(address === undefined ? {} : { address }),
    ...(uid === undefined ? {} : { uid }),
    ...more,
    user,
    listen,
  };
}

const views = (
  sites: readonly ServerSite[],
  pools: readonly Pool[],
  host: Host = {},
): readonly SiteView[] => overviewOf([], sites, pools, factsOf(host)).sites;

const master = (uid: number, cgroups: string): Listener => ({ pid: 100, ppid: 1, uid, cgroups });
const worker = (pid: number, uid: number, cgroups: string): Listener => ({
  pid,
  ppid: 100,
  uid,
  cgroups,
});
const shop = site({ handlers: [fastcgi('unix:/run/php/shop.sock')], root: '/home/alice/www' });

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

test('overviewOf() places a master in the cgroup at source, one outside as caught by the agent', () => {
  const placed = (listeners: readonly Listener[], host: Host = {}) => {
    const at = { '/run/php/shop.sock': listeners };
    return views([shop], [pool()], { listeners: at, ...host })[0]?.placed;
  };
  const own = [master(1001, `${inside}u1001`), worker(101, 1001, `${inside}u1001`)];
  assert.equal(placed(own)?.kind, 'at source');
  const classic = [
    master(0, '0::/'),
    worker(101, 1001, `${inside}u1001`),
    worker(102, 1001, '0::/'),
  ];
  assert.equal(placed(classic)?.kind, 'caught');
  assert.deepEqual(placed(classic)?.seen, {
    masters: 1,
    mastersInside: 0,
    workers: 2,
    workersInside: 1,
  });
  assert.match(placed(classic, { agentRuns: false })?.reason ?? '', /no agent runs/);
  assert.match(placed(classic, { applied: false })?.remedy ?? '', /bulkhead apply/);
  assert.equal(placed([])?.kind, 'not running');
  assert.equal(placed([{ ...master(0, '0::/'), pid: 1 }])?.kind, 'not running');
  // A process that outlived its master hides nobody.
  const orphan = [...own, { ...master(0, '0::/'), pid: 200 }];
  assert.equal(placed(orphan)?.kind, 'caught');
});

test("overviewOf() reports a pool that runs as the web server's user as not covered", () => {
  const owners = { '/home/alice/www': [0, 1001] };
  const listeners = { '/run/php/shop.sock': [master(0, '0::/'), worker(101, 33, '0::/')] };
  for (const host of [{ owners, listeners }, { owners }]) {
    const [view] = views([shop], [pool({ user: 'www-data' })], host);
    assert.deepEqual(
      [view?.placed.kind, view?.placed.reason],
      ['not covered', 'it runs as www-data'],
    );
  }
});

test('overviewOf() places a proxied program by its listener, and one on another host as unknown', () => {
  const owners = { '/home/alice/www': [0, 1001] };
  const kind = (target: string, listeners: readonly Listener[]) => {
    const app = site({ root: '/home/alice/www', handlers: [proxy(target)] });
    return views([app], [], { owners, listeners: { [target]: listeners } })[0]?.placed.kind;
  };
  assert.equal(kind('127.0.0.1:3000', [master(1001, `${inside}u1001`)]), 'at source');
  assert.equal(kind('127.0.0.1:3000', [master(1001, '0::/')]), 'caught');
  assert.equal(kind('127.0.0.1:3000', [master(1002, '0::/')]), 'not covered');
  assert.equal(kind('127.0.0.1:3000', []), 'not running');
  assert.equal(kind('192.0.2.1:80', []), 'unknown');
});

test('overviewOf() places CGI by suEXEC or AssignUserID, and mod_php by AssignUserID only', () => {
  const owners = { '/home/alice/www': [0, 1001] };
  const kind = (handler: 'cgi' | 'module', by?: 'SuexecUserGroup' | 'AssignUserID') => {
    const runsAs = by === undefined ? {} : { runsAs: { by, user: 'alice' } };
    const handlers = [{ kind: handler, text: handler }];
    const one = site({ server: 'apache', root: '/home/alice/www', handlers, ...runsAs });
    return views([one], [], { owners })[0]?.placed.kind;
  };
  assert.deepEqual(
    [kind('cgi'), kind('cgi', 'SuexecUserGroup'), kind('cgi', 'AssignUserID')],
    ['not covered', 'caught', 'caught'],
  );
  assert.deepEqual(
    [kind('module'), kind('module', 'SuexecUserGroup'), kind('module', 'AssignUserID')],
    ['not covered', 'not covered', 'caught'],
  );
});

test("overviewOf() returns the worst placement of a site's handlers, and none for static files", () => {
  const owners = { '/home/alice/www': [0, 1001] };
  const listeners = { '/run/php/shop.sock': [master(1001, `${inside}u1001`)] };
  const both = site({ root: '/home/alice/www', handlers: [...shop.handlers, fastcgi('$where')] });
  assert.equal(views([both], [pool()], { owners, listeners })[0]?.placed.kind, 'unknown');
  const files = site({ root: '/home/alice/www' });
  assert.equal(views([files], [], { owners })[0]?.placed.kind, 'nothing to place');
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

test('webNotes() merges equal notes, and overviewText() prints no control character', () => {
  const evil = 'a\u001b[2Jb\u202e.example';
  const sites = Array.from({ length: 8 }, (_, index) =>
    site({ ...shop, names: [index === 0 ? evil : `s${index}.example`] }),
  );
  const overview = overviewOf(
    [{ name: 'nginx', program: '/usr/sbin/nginx', problems: [] }],
    sites,
    [pool({ user: 'www-data' })],
    factsOf({ owners: { '/home/alice/www': [0, 1001] } }),
  );
  const notes = webNotes(overview);
  assert.deepEqual(
    notes.map(({ message, about }) => [message, about.length]),
    [
      [
        'Not covered by the limits of its tenant: it runs as www-data; give it a pool whose user is its owner',
        8,
      ],
    ],
  );
  const text = overviewText(overview, notes, { columns: 300 });
  assert.match(text, /^SITE +OWNER +SERVER +HANDLER +PLACED$/m);
  assert.match(text, /^s1\.example +alice +nginx +FPM 8\.4 shop +not covered$/m);
  assert.match(text, /s4\.example and 3 more$/m);
  // oxlint-disable-next-line no-control-regex -- this is what must not be there
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u202e]/);
});

test('webNotes() reports a directive of the vhost with its file and line', () => {
  const overrides = [{ directive: 'limit_conn', file: '/etc/nginx/a.conf', line: 7 }] as const;
  const notes = webNotes(overviewOf([], [site({ overrides })], [], factsOf({})));
  assert.deepEqual(notes, [
    {
      message:
        'A vhost has a directive limit_conn of its own: a limit_conn of the http level does not apply to it',
      about: ['/etc/nginx/a.conf:7'],
    },
  ]);
});

test('overviewText() reports that no web server, or no site, was found', () => {
  const empty = overviewOf([], [], [], factsOf({}));
  assert.match(overviewText(empty, [], { columns: 100 }), /^No web server is installed/);
  const servers = [{ name: 'nginx', program: '/usr/sbin/nginx', problems: [] }];
  assert.equal(
    overviewText({ ...empty, servers }, [], { columns: 100 }),
    'No site was found in nginx',
  );
});
