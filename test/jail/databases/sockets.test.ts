/** Sockets of real database servers in jails: restarted while a jail is open, and what tenants and servers would try. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import type { Log } from '../../../src/agent/log.ts';
import { pathsOf } from '../../../src/host/paths.ts';
import { findDatabases } from '../../../src/host/databases/find.ts';
import { reportDatabases } from '../../../src/jail/io/databases/socket.ts';
import { readUnmounted, writeUnmounted } from '../../../src/jail/io/databases/unmounted.ts';
import { DatabaseWatch } from '../../../src/jail/io/databases/watch.ts';
import { JailRefresher } from '../../../src/jail/io/jail-refresher.ts';
import { ok } from '../../../packages/base/result.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';
import { resolvePolicy } from '../../../src/policy/resolve.ts';
import { eventually } from '../../../testing/patience.ts';
import type { JailTenant } from '../../../src/jail/io/build/protocol.ts';
import { JailStage, reasonToSkip } from '../stage.ts';
import {
  directoryOf,
  mariadb,
  mariadbServer,
  postgres,
  postgresAccount,
  postgresServer,
  writeEtc,
  type Server,
} from './servers.ts';

const skip = reasonToSkip();
const [alice, bob, mysqlUid, stranger] = [620_701, 620_702, 620_710, 620_711] as const;
const run = '/run/bulkhead-test-databases';
const lib = '/var/lib/bulkhead-test-databases';
const etc = `${lib}/etc`;
const mysql = { uid: mysqlUid, gid: mysqlUid };
const paths = { ...pathsOf('bulkhead-jail-databases'), etc };

/** Prints the first bytes that a server sends; for PostgreSQL after a request for encryption. */
const greet = `use IO::Socket::UNIX; my ($path, $first) = @ARGV;
my $s = IO::Socket::UNIX->new(Peer => $path) or do { print "no: $!\\n"; exit };
syswrite $s, pack("NN", 8, 80877103) if $first; sysread $s, my $got, 80; $got =~ s/[^ -~]/./g; print "$got\\n";`;

let stage: JailStage;

before(() => {
  if (skip !== false) return;
  for (const each of [run, lib]) rmSync(each, { recursive: true, force: true });
  for (const each of [run, lib]) mkdirSync(each);
  stage = new JailStage('databases');
});
after(async () => {
  if (skip !== false) return;
  await stage[Symbol.asyncDispose]();
  for (const each of [run, lib]) rmSync(each, { recursive: true, force: true });
});

/** Builds the jails with what is found now. */
async function build(...tenants: readonly JailTenant[]) {
  stage.databases = findDatabases(paths);
  return stage.build(...tenants);
}

/** A shell in a jail that stays open: each line that it gets is a socket to greet. */
class OpenJail implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(uid: number) {
    const script = `while read path first; do perl -e '${greet}' $path $first; done`;
    const [file = '', ...args] = stage.enterCommand(uid, '/bin/sh', '-c', script);
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const output = this.#child.stdout as NodeJS.ReadableStream;
    this.#lines = createInterface(output)[Symbol.asyncIterator]();
  }

  async greet(path: string, first = ''): Promise<string> {
    this.#child.stdin?.write(`${path} ${first}\n`);
    return `${(await this.#lines.next()).value}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await exited;
  }
}

const inVault = (script: string) =>
  execFileSync('nsenter', [`--mount=${stage.paths.vault}`, 'sh', '-c', `${script}; true`], {
    encoding: 'utf8',
  });

function policyOfAlice() {
  const text = `<bulkhead version="1"><tenant uid="${alice}"><jail profile="web"/></tenant></bulkhead>`;
  const { document } = parsePolicy('p.xml', text);
  assert.ok(document);
  return resolvePolicy(document, { accounts: [], uidMin: 1000 });
}

/** An agent's refresher, whose builder is this test's: it finds sockets by the test's /etc. */
function refresher(...tenants: readonly JailTenant[]) {
  let now = 0;
  const log = { error: (problem: string) => assert.fail(problem) } as unknown as Log;
  const made = new JailRefresher(
    paths,
    log,
    async () => {
      const { problems } = await build(...tenants);
      assert.deepEqual(problems, []);
      return ok(undefined);
    },
    () => now,
  );
  made.adopt(policyOfAlice());
  return () => {
    now += 5000;
    made.afterTick();
  };
}

/** Lets the server greet from an open jail, before and after restarts, with the agent's ticks. */
async function survivesRestarts(server: Server, greeting: RegExp, first = ''): Promise<void> {
  await using _server = server;
  await server.start();
  const tick = refresher(stage.tenant(alice));
  tick();
  await eventually('the jail is there', () => existsSync(`${stage.paths.tenants}/${alice}`));
  await build(stage.tenant(alice));
  await using jail = new OpenJail(alice);
  assert.match(await jail.greet(server.socket, first), greeting);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await server.stop(signal);
    assert.match(await jail.greet(server.socket, first), /^no: /);
    tick();
    await server.start();
    await eventually('the open jail reaches it again', async () => {
      tick();
      return greeting.test(await jail.greet(server.socket, first));
    });
  }
}

describe('sockets of databases in jails', { skip }, () => {
  test(
    'MariaDB, whose socket is in its data directory',
    { skip: mariadb === undefined && 'needs mariadbd' },
    async () => {
      const data = directoryOf(`${lib}/mysql`, mysqlUid);
      const socket = `${data}/mysql.sock`;
      writeEtc(etc, { mysql }, { 'my.cnf': `[mysqld]\nsocket=${socket}\n` });
      const server = mariadbServer(mariadb ?? '', socket, data, mysqlUid);
      await survivesRestarts(server, /MariaDB/);
      assert.ok(existsSync(`${data}/ibdata1`), 'the data is next to it');
      await server.start();
      await build(stage.tenant(alice));
      assert.equal(stage.see(alice, `ls -A ${data}`), 'mysql.sock');
      assert.equal(stage.see(alice, `ls -A ${lib}`), 'mysql');
      await server.stop();
      await build(stage.tenant(alice));
      assert.equal(stage.see(alice, `ls -A ${data}`), '');
    },
  );

  const noPostgres = postgres === undefined || postgresAccount === undefined;
  test('PostgreSQL', { skip: noPostgres && 'needs PostgreSQL of Debian' }, async () => {
    assert.ok(postgres !== undefined && postgresAccount !== undefined);
    const { uid, gid } = postgresAccount;
    const directory = directoryOf(`${run}/postgresql`, uid, gid, 0o2775);
    const data = directoryOf(`${lib}/postgresql`, uid, gid, 0o700);
    writeEtc(
      etc,
      { postgres: postgresAccount },
      { 'postgresql/15/main/postgresql.conf': `unix_socket_directories = '${directory}'\n` },
    );
    const server = postgresServer(postgres, directory, data, { uid, gid });
    await survivesRestarts(server, /^[NS]$/, 'first');
    await server.start();
    await build(stage.tenant(alice));
    assert.ok(existsSync(`${server.socket}.lock`), 'a lock file is next to it');
    assert.equal(stage.see(alice, `ls -A ${directory}`), '.s.PGSQL.5432');
    await server.stop();
  });

  describe('that are made by others, or where others can change them', () => {
    const directory = `${run}/mysqld`;
    const socket = `${directory}/mysqld.sock`;
    const listen = (uid: number, path: string) => {
      const script =
        'use IO::Socket::UNIX; IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die $!;';
      const ids = ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
      const { status, stderr } = spawnSync('setpriv', [...ids, 'perl', '-e', script, path], {
        encoding: 'utf8',
      });
      assert.equal(status, 0, stderr);
    };
    const reason = () =>
      reportDatabases(findDatabases(paths), new Map()).find(({ at }) => at === socket)?.reason;
    const refused = async (why: RegExp) => {
      assert.match(`${reason()}`, why);
      const { problems } = await build(stage.tenant(alice));
      assert.deepEqual(problems, [], 'jails are built all the same');
      assert.equal(stage.run(alice, '/usr/bin/test', '-e', socket).status, 1);
    };
    const fresh = () => {
      rmSync(directory, { recursive: true, force: true });
      directoryOf(directory, mysqlUid);
      writeEtc(etc, { mysql }, { 'my.cnf': `[mysqld]\nsocket=${socket}\n` });
    };

    test('are not shown, and jail status has the reason', async () => {
      fresh();
      await refused(/does not exist; start the server/);
      directoryOf(directory, stranger);
      listen(stranger, socket);
      await refused(new RegExp(`belongs to uid ${stranger}`));
      directoryOf(directory, mysqlUid);
      await refused(new RegExp(`belongs to uid ${stranger}, and the server has uid ${mysqlUid}`));
      fresh();
      listen(mysqlUid, socket);
      assert.equal(reason(), undefined);
      chmodSync(directory, 0o777);
      await refused(/can be written by others/);
      directoryOf(directory, mysqlUid, stranger, 0o775);
      await refused(new RegExp(`can be written by group ${stranger}`));
      directoryOf(directory, mysqlUid);
      rmSync(socket);
      writeFileSync(socket, 'a file');
      chownSync(socket, mysqlUid, mysqlUid);
      await refused(/not a socket/);
    });

    test('are not shown through a link of the server, and are through one of root', async () => {
      fresh();
      mkdirSync(`${run}/secret`, { recursive: true });
      listen(0, `${run}/secret/root.sock`);
      symlinkSync(`${run}/secret/root.sock`, socket);
      await refused(/symbolic link|belongs to uid 0/);
      fresh();
      listen(mysqlUid, socket);
      renameSync(directory, `${run}/elsewhere`);
      symlinkSync(`${run}/elsewhere`, directory);
      spawnSync('chown', ['-h', `${mysqlUid}`, directory]);
      await refused(/symbolic link of uid/);
      spawnSync('chown', ['-h', '0', directory]);
      assert.equal(reason(), undefined);
      await build(stage.tenant(alice));
      assert.equal(stage.see(alice, `ls -A ${directory}`), 'mysqld.sock');
      rmSync(directory);
      rmSync(`${run}/elsewhere`, { recursive: true });
    });

    test('are not shown if they are a second name of a socket of root', async () => {
      fresh();
      mkdirSync(`${run}/secret`, { recursive: true });
      rmSync(`${run}/secret/root.sock`, { force: true });
      listen(0, `${run}/secret/root.sock`);
      linkSync(`${run}/secret/root.sock`, socket);
      await refused(/belongs to uid 0/);
    });

    test('unmount nothing of the jail, whatever path a configuration names', async () => {
      fresh();
      listen(mysqlUid, socket);
      const hostile = [
        '/usr',
        '/tmp/mysql.sock',
        '/run',
        '/etc/passwd',
        `${run}/../../usr/x`,
        '/proc/1/x',
      ];
      const lines = [socket, ...hostile].map((each) => `socket=${each}\n`).join('');
      writeEtc(etc, { mysql }, { 'my.cnf': `[mysqld]\n${lines}` });
      const { problems } = await build(stage.tenant(alice));
      assert.deepEqual(problems, []);
      assert.equal(stage.see(alice, `test -d /usr/bin && ls -A ${directory}`), 'mysqld.sock');
      const reasons = reportDatabases(findDatabases(paths), new Map()).filter(
        (each) => each.reason !== undefined,
      );
      assert.ok(
        reasons.some(
          ({ at, reason: why }) => at === '/tmp/mysql.sock' && /a jail has its own/.test(why ?? ''),
        ),
      );
      assert.ok(hostile.every((each) => reasons.some(({ at }) => at === each)));
    });

    test('are shown as the policy lists them, to each tenant its own', async () => {
      fresh();
      listen(mysqlUid, socket);
      await build(
        stage.tenant(alice, { databases: [] }),
        stage.tenant(bob, { databases: ['mysql'] }),
      );
      assert.equal(stage.run(alice, '/usr/bin/test', '-e', socket).status, 1);
      assert.equal(stage.see(bob, `ls -A ${directory}`), 'mysqld.sock');
      await build(stage.tenant(alice), stage.tenant(bob, { databases: ['postgresql'] }));
      assert.equal(stage.see(alice, `ls -A ${directory}`), 'mysqld.sock');
      assert.equal(stage.run(bob, '/usr/bin/test', '-e', socket).status, 1);
      const changed = stage.run(
        alice,
        '/bin/sh',
        '-c',
        `rm -f ${socket}; mv ${socket} ${socket}x; touch ${directory}/x`,
      );
      assert.notEqual(changed.status, 0);
      assert.equal(stage.see(alice, `ls -A ${directory}`), 'mysqld.sock');
    });

    test('are unmounted from what no tenant uses any more', async () => {
      fresh();
      listen(mysqlUid, socket);
      const mounts = () => {
        const script = `grep -c ${socket} /proc/self/mountinfo; ls ${stage.paths.inside}/root`;
        return inVault(script).split('\n');
      };
      await build(stage.tenant(alice), stage.tenant(bob, { databases: ['mysql'] }));
      assert.ok(Number(mounts()[0]) > 0);
      assert.ok(mounts().includes('web-mysql.databases'));
      await build(stage.tenant(alice, { databases: [] }), stage.tenant(bob, { databases: [] }));
      assert.equal(mounts()[0], '0');
      assert.ok(mounts().every((each) => !each.endsWith('.databases')));
    });

    test('are reported as what they are if they cannot be mounted, and jails as in force', async () => {
      fresh();
      listen(mysqlUid, socket);
      await build(stage.tenant(alice, { databases: [] }));
      const inTheWay = `${stage.paths.inside}/root/web${socket}`;
      inVault(`rm -rf ${inTheWay}; mkdir -p ${inTheWay}`);
      const { problems, sockets } = await build(stage.tenant(alice));
      assert.deepEqual(problems, []);
      assert.deepEqual(
        sockets.map(({ object }) => object),
        [socket],
      );
      assert.match(stage.stateText(alice), /ready/);
      assert.ok(writeUnmounted(stage.paths, sockets).ok);
      const [found] = reportDatabases(findDatabases(paths), readUnmounted(stage.paths));
      assert.match(found?.reason ?? '', /directory/i);
      const errors: string[] = [];
      const log = { error: (text: string) => errors.push(text) } as unknown as Log;
      const refresher = new JailRefresher(paths, log, async () => ok(undefined));
      refresher.adopt(policyOfAlice());
      refresher.afterTick();
      await eventually('it is reported', () => errors.length > 0);
      assert.match(errors.join(), /mount sockets of database servers in jails: .*mysqld\.sock/);
      const alarms = refresher.takeAlarms();
      assert.deepEqual(
        alarms.map(({ about }) => about),
        ['jails database sockets'],
      );
      assert.match(alarms[0]?.text ?? '', /^All jails are in force/);
      inVault(`rmdir ${inTheWay}`);
      const again = await build(stage.tenant(alice));
      assert.deepEqual(again.sockets, []);
      assert.ok(writeUnmounted(stage.paths, again.sockets).ok);
      assert.equal(readUnmounted(stage.paths).size, 0);
    });

    test('cost few builds while a server restarts again and again', () => {
      fresh();
      listen(mysqlUid, socket);
      let seconds = 0;
      const watch = new DatabaseWatch(() => seconds * 1000);
      const sockets = findDatabases(paths);
      const restart = () => {
        // Another identity, as of a socket that was made again.
        const { ctimeNs } = lstatSync(socket, { bigint: true });
        do chmodSync(socket, 0o777);
        while (lstatSync(socket, { bigint: true }).ctimeNs === ctimeNs);
      };
      let text = watch.follow(sockets);
      const noticed: number[] = [];
      for (seconds = 10; seconds <= 1200; seconds += 10) {
        restart();
        const isNew = watch.hasNew();
        const now = watch.follow(sockets); // the check of each minute keeps to the pause, too
        assert.equal(now !== text, isNew);
        if (isNew) noticed.push(seconds);
        text = now;
      }
      assert.deepEqual(noticed, [10, 30, 70, 150, 310, 630]);
      seconds += 3600;
      for (const quiet of [0, 10]) {
        seconds += quiet;
        restart();
        assert.ok(watch.hasNew(), 'after an hour of peace, and ten seconds later');
        watch.follow(sockets);
      }
    });
  });
});
