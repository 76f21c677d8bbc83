/** Host facts that sandboxes depend on: files that a process writes, its sockets, modules of servers. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { parseInet, parseUnix } from '../../src/confine/core/listening.ts';
import { homeDirectories } from '../../src/confine/io/homes.ts';
import { listeningSockets, serviceProcesses } from '../../src/confine/io/listening.ts';
import { readServiceFacts } from '../../src/confine/io/read-facts.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { eventually } from '../../testing/patience.ts';
import { paths, put, root } from './host-root.ts';

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
