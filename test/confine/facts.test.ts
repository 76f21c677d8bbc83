/** Host facts that sandboxes depend on: files that a process writes, its sockets, modules of servers; and drop-ins. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { undoConfine } from '../../src/confine/commands/undo.ts';
import { parseInet, parseUnix } from '../../src/confine/core/listening.ts';
import { exposureText, parseExposure } from '../../src/confine/core/exposure.ts';
import { lockConfine, readDropIn } from '../../src/confine/io/drop-in-file.ts';
import { exposureWith } from '../../src/confine/io/exposure.ts';
import { homeDirectories } from '../../src/confine/io/homes.ts';
import { listeningSockets, serviceProcesses } from '../../src/confine/io/listening.ts';
import {
  dropInOf,
  findService,
  confinePathsOf,
  type ConfinedService,
} from '../../src/confine/io/places.ts';
import { readServiceFacts } from '../../src/confine/io/read-facts.ts';
import { formatServiceState, type SurveyedService } from '../../src/confine/io/survey.ts';
import { statusOf, type UnitNow } from '../../src/confine/io/unit.ts';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import { suiteDirectory, temporaryDirectory } from '../../testing/temporary-directory.ts';
import { eventually } from '../../testing/patience.ts';

const root = suiteDirectory('confine-facts', '/var/tmp');
const paths: Paths = {
  ...pathsOf(),
  etc: join(root, 'etc'),
  state: join(root, 'state'),
  runtime: join(root, 'run'),
};
const places = confinePathsOf(paths, root);
const put = (path: string, text = '') => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
const factsOf = (mainPid = 0) =>
  readServiceFacts({ paths, policy: undefined, version: 252 }, mainPid);

suite('readServiceFacts()', () => {
  test('returns defaults when nothing is installed', () => {
    const { version, written, apache, nginxModules, chrootPools, ownDirectories } = factsOf();
    assert.deepEqual(
      { version, written, apache, nginxModules, chrootPools, ownDirectories },
      {
        version: 252,
        written: [],
        apache: { user: 'www-data', modules: new Set() },
        nginxModules: [],
        chrootPools: false,
        ownDirectories: [join(root, 'state')],
      },
    );
  });

  test("reads Apache's user and modules, and ignores other files and directories", () => {
    put('etc/apache2/envvars', '# export APACHE_RUN_USER=no\nexport APACHE_RUN_USER=web-1\n');
    for (const name of ['php8.4.load', 'php8.4.conf', 'cgid.load', 'README'])
      put(`etc/apache2/mods-enabled/${name}`);
    const { user, modules } = factsOf().apache;
    assert.equal(user, 'web-1');
    assert.deepEqual([...modules].toSorted(), ['cgid', 'php8.4']);
  });

  test('ignores an Apache user that is more than one word of a command', () => {
    for (const user of ['$(id)', 'a b', 'a;b', '"web"', '-o', '']) {
      put('etc/apache2/envvars', `export APACHE_RUN_USER=${user}\n`);
      assert.equal(factsOf().apache.user, 'www-data', JSON.stringify(user));
    }
  });

  test('finds chroot in a pool of any version, but not in a comment or without a path', () => {
    put(
      'etc/php/8.2/fpm/pool.d/www.conf',
      '[www]\n;chroot = /srv\nchroot =\nchroot = ; none\nchrootx = /srv\n',
    );
    assert.equal(factsOf().chrootPools, false);
    put('etc/php/7.4/fpm/pool.d/shop.conf', '[shop]\n  chroot=/srv/shop\n');
    assert.equal(factsOf().chrootPools, true);
  });

  test('lists regular files that the process writes, but no read, deleted or device files', () => {
    for (const name of ['written', 'read', 'deleted']) put(`files/${name}`);
    const open = [
      openSync(join(root, 'files/written'), 'a'),
      openSync(join(root, 'files/read'), 'r'),
      openSync(join(root, 'files/deleted'), 'w'),
      openSync('/dev/null', 'w'),
    ];
    rmSync(join(root, 'files/deleted'));
    try {
      const ours = factsOf(process.pid).written.filter((each) => !each.includes('node-compile'));
      assert.ok(ours.includes(join(root, 'files/written')), ours.join());
      assert.deepEqual(
        ours.filter((each) => /\/read$|deleted|\/dev\//.test(each)),
        [],
      );
    } finally {
      for (const each of open) closeSync(each);
    }
  });

  test('skips a path that cannot be a line of a unit', () => {
    put('files/new\nline');
    const open = openSync(join(root, 'files/new\nline'), 'w');
    try {
      assert.ok(factsOf(process.pid).written.every((each) => !each.includes('\n')));
    } finally {
      closeSync(open);
    }
  });

  test('finds nothing for a process that does not exist', () => {
    assert.deepEqual(factsOf(2 ** 22 + 1).written, []);
  });
});

suite('homeDirectories()', () => {
  const of = (...homes: readonly string[]) =>
    homeDirectories(homes.map((home) => ({ user: 'x', uid: 1, gid: 1, home })));

  test('returns the outermost directories, sorted and once', () => {
    using directory = temporaryDirectory('confine-homes', '/var/tmp');
    const { path } = directory;
    mkdirSync(join(path, 'a/b'), { recursive: true });
    assert.deepEqual(of(`${path}/a/b/one`, `${path}/a/two`, `${path}/a/three`, '/home/x/y'), [
      '/home',
      `${path}/a`,
    ]);
  });

  test('rejects homes with control characters, dots and empty names', () => {
    for (const home of [
      '/srv/a\u001b/b',
      '/srv//a/b',
      '/srv/./a/b',
      '/srv/a/..',
      'srv/a/b',
      '/srv/\u202ea/b',
    ])
      assert.deepEqual(of(home), ['/home'], JSON.stringify(home));
  });

  test('rejects a home that is deeper than any real one, in linear time', () => {
    assert.deepEqual(of(`/srv${'/a'.repeat(100_000)}`), ['/home']);
  });
});

suite('listeningSockets() and serviceProcesses()', () => {
  test("listeningSockets() finds this process's sockets until they are closed", async () => {
    const path = join(root, 'listen.sock');
    const servers = [createServer().listen(path), createServer().listen(0, '127.0.0.1')];
    await Promise.all(servers.map((each) => once(each, 'listening')));
    const address = servers[1]?.address();
    assert.ok(typeof address === 'object' && address !== null);
    const tcp = `tcp 0100007F:${address.port.toString(16).toUpperCase().padStart(4, '0')}`;
    const found = listeningSockets('/proc', [String(process.pid)]);
    assert.ok(found.has(tcp) && found.has(`unix ${path}`), [...found].join());
    for (const each of servers) each.close();
    await Promise.all(servers.map((each) => once(each, 'close')));
    const later = listeningSockets('/proc', [String(process.pid)]);
    assert.ok(!later.has(tcp) && !later.has(`unix ${path}`), [...later].join());
  });

  test('listeningSockets() finds nothing without a process', () => {
    assert.equal(listeningSockets('/proc', []).size, 0);
  });

  test('serviceProcesses() returns a living main process without a list', async () => {
    assert.deepEqual(serviceProcesses('/proc', '', process.pid), [String(process.pid)]);
    assert.deepEqual(serviceProcesses('/proc', '/no/such/cgroup', process.pid), [
      String(process.pid),
    ]);
    assert.deepEqual(serviceProcesses('/proc', '', 0), []);
    const child = spawn('true');
    await once(child, 'exit');
    await eventually('it is reaped', () => !existsSync(`/proc/${child.pid}`));
    assert.deepEqual(serviceProcesses('/proc', '', child.pid ?? 0), []);
  });

  test('parseInet() ignores rows that are cut off, and UDP sockets of clients', () => {
    const head = 'sl local_address …\n';
    assert.equal(parseInet('tcp', '').size, 0);
    assert.equal(parseInet('tcp', `${head}   0: 0100007F:0050 00000000:0000 0A\n`).size, 0);
    const udp = (port: string, peer = '00000000:0000') =>
      parseInet('udp', `${head}   0: 00000000:${port} ${peer} 07 0:0 0:0 0 0 0 9 1\n`).size;
    assert.deepEqual(
      [udp('7FFF'), udp('8000'), udp('0035', '0100007F:0035')],
      [1, 0, 0],
      '32767 is the last that counts',
    );
    const udp6 = `${head} 0: ${'0'.repeat(32)}:0035 ${'0'.repeat(32)}:0000 07 0:0 0:0 0 0 0 9 1\n`;
    assert.equal(parseInet('udp6', udp6).get('9'), `udp6 ${'0'.repeat(32)}:0035`);
  });

  test('parseUnix() ignores abstract and relative sockets', () => {
    const row = (path: string) => `0: 00000002 00000000 00010000 0001 01 7 ${path}\n`;
    assert.equal(parseUnix(`head\n${row('@/run/x')}`).size, 0);
    assert.equal(parseUnix(`head\n${row('relative.sock')}`).size, 0);
    assert.equal(parseUnix(`head\n${row('/run/x')}`).get('7'), 'unix /run/x');
  });
});

const unitNow: UnitNow = {
  active: 'active',
  mainPid: 12,
  restarts: 0,
  fragment: '',
  dropIns: [],
  stale: false,
  cgroup: '',
};

suite('formatServiceState() and statusOf()', () => {
  const text = (more: Partial<SurveyedService>) =>
    formatServiceState({ state: 'ours', inForce: true, now: unitNow, ...more } as SurveyedService);

  test('formatServiceState() reports the file, the process and edits', () => {
    const stopped = { ...unitNow, mainPid: 0 };
    assert.equal(text({ state: 'absent' }), 'not confined');
    assert.equal(text({ state: 'foreign' }), 'file of another');
    assert.equal(text({}), 'confined');
    assert.equal(text({ inForce: false }), 'after a restart');
    assert.equal(text({ now: stopped, inForce: false }), 'confined when it starts');
    assert.equal(text({ state: 'changed' }), 'confined, edited');
    assert.equal(text({ state: 'changed', inForce: false }), 'after a restart, edited');
    assert.equal(text({ state: 'changed', now: stopped }), 'confined when it starts, edited');
  });

  test('statusOf() is empty for a service that does not run', () => {
    assert.equal(statusOf(places, { ...unitNow, mainPid: 0 }), '');
    assert.match(statusOf(places, { ...unitNow, mainPid: process.pid }), /^Name:/);
  });
});

suite('units and drop-ins of confine', () => {
  const serviceOf = (name: string): ConfinedService => {
    const found = findService(places, name);
    assert.ok(found, name);
    return found;
  };
  put('usr/lib/systemd/system/nginx.service', '[Service]\nExecStart=/usr/sbin/nginx\n');
  put('usr/lib/systemd/system/named.service');

  test("findService() prefers the administrator's unit, and knows aliases", () => {
    put('etc/systemd/system/named.service', '[Service]\n');
    assert.deepEqual([serviceOf('bind').name, serviceOf('bind').unit], ['named', 'named']);
    assert.equal(findService(places, '../named'), undefined);
  });

  test('findService() returns postfix.service unless that unit is of type oneshot', () => {
    put('usr/lib/systemd/system/postfix.service', '[Service]\nType=forking\n');
    assert.equal(serviceOf('postfix').unit, 'postfix');
    put('usr/lib/systemd/system/postfix.service', '[Service]\n#Type=oneshot\n');
    assert.equal(serviceOf('postfix').unit, 'postfix');
  });

  test('readDropIn() refuses a file that others can write, a link and a huge file', () => {
    const path = dropInOf(places, serviceOf('named'));
    mkdirSync(dirname(path), { recursive: true });
    const reason = () => {
      const read = readDropIn(path);
      return read.ok ? 'read' : formatProblem(read.error);
    };
    writeFileSync(path, 'x'.repeat(256 * 1024 + 1));
    assert.match(reason(), /^Cannot read ".*50-bulkhead\.conf": /);
    rmSync(path);
    writeFileSync(path, 'x'.repeat(256 * 1024));
    assert.equal(reason(), 'read');
    rmSync(path);
    symlinkSync('/etc/hostname', path);
    assert.match(reason(), /^Cannot .*50-bulkhead\.conf/);
    rmSync(dirname(path), { recursive: true });
  });

  test('lockConfine() creates its directory, and locks again after a release', () => {
    const first = lockConfine(places);
    assert.ok(first.ok);
    assert.equal(existsSync(`${places.state}/.lock`), true);
    first.value[Symbol.dispose]();
    const second = lockConfine(places);
    assert.ok(second.ok);
    second.value[Symbol.dispose]();
  });

  test('undoConfine() returns a step for each drop-in, with the command that removes it', () => {
    assert.deepEqual(undoConfine(paths), []);
    put('etc/systemd/system/nginx.service', '[Service]\n');
    put('etc/systemd/system/nginx.service.d/50-bulkhead.conf', 'ours or not');
    assert.deepEqual(undoConfine(paths), [
      { what: 'the sandbox of nginx', command: ['confine', 'disable', 'nginx', '--yes'] },
    ]);
    assert.equal(
      readFileSync(join(root, 'etc/systemd/system/nginx.service.d/50-bulkhead.conf'), 'utf8'),
      'ours or not',
    );
  });

  test('exposureWith() returns no score for an old systemd or a unit without a file', async () => {
    const service = serviceOf('nginx');
    const fragment = `${root}/usr/lib/systemd/system/nginx.service`;
    const score = (more: Partial<UnitNow>, version: number) =>
      exposureWith(
        places,
        service,
        { ...unitNow, fragment, ...more },
        { text: undefined, version },
      );
    assert.equal(await score({}, 249), undefined);
    assert.equal(await score({ fragment: '' }, 257), undefined);
    assert.equal(await score({ dropIns: [join(root, 'vanished.conf')] }, 257), undefined);
  });

  test('exposureText() and parseExposure() handle a score and its absence', () => {
    assert.equal(exposureText(undefined), '-');
    assert.equal(exposureText(10), '10.0');
    assert.equal(parseExposure('→ Overall exposure level for a.service: 10.0 DANGEROUS'), 10);
    assert.equal(parseExposure('→ Overall exposure level for a b: 1.0'), undefined);
  });
});
