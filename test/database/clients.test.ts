/** The cgroups of clients of a real unix socket: clients that are there for a moment only, and programs of root among them. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { compileExec, compileThaw } from '../../scripts/entry.ts';
import { releaseAll } from '../../src/apply/apply.ts';
import { clientsOfSocket } from '../../src/sys/sockets/unix-diag.ts';
import { ClientSearch } from '../../src/database/io/hold/client-search.ts';
import { Clients } from '../../src/database/io/hold/clients.ts';
import { Holder } from '../../src/database/io/hold/holder.ts';
import { frozenOf } from '../../src/database/io/hold/record.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { eventually } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { treeHost } from '../../testing/tree-host.ts';
import { mustApply, policyOf } from '../conformance/suite.ts';
import { freezers } from './freezer-stage.ts';

const isRoot = process.getuid?.() === 0;
const skip = !isRoot || Object.keys(freezers()).length === 0 ? 'needs root and a freezer' : false;
const uid = 64_353;
const body = `<tenant uid="${uid}"/>`;

/** Connects for 40 ms, and is away for 60. */
const brief = `use IO::Socket::UNIX; use Time::HiRes 'sleep';
  while (1) { my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]); sleep 0.04; close $s; sleep 0.06 }`;
const lasting = `use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]); sleep 600`;

suite('clients of a socket', { skip }, () => {
  const scratch = temporaryDirectory('clients', undefined, 0o755);
  const socket = join(scratch.path, 'server.sock');
  const host = treeHost(pathsOf(`bulkhead-clients-${process.pid}`));
  const program = join(scratch.path, 'setuid-sleep');
  const launcher = skip === false ? compileExec() : '';
  const children: ChildProcess[] = [];
  let server: Server;
  const tenant = policyOf(body).tenants[0]!;

  before(async () => {
    compileThaw();
    mustApply(body, host);
    copyFileSync('/bin/sleep', program);
    chmodSync(program, 0o4755);
    server = createServer((client) => client.on('error', () => {}).resume()).listen(socket);
    await once(server, 'listening');
    chmodSync(socket, 0o777);
  });
  after(async () => {
    for (const each of children) each.kill('SIGKILL');
    releaseAll(host, { kill: true });
    server.close();
    scratch.remove();
  });

  function start(...command: readonly string[]): ChildProcess {
    const where = ['--instance', host.paths.instance, '--chdir', '/', String(uid), '--'];
    const child = spawn(launcher, [...where, ...command], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    children.push(child);
    return child;
  }

  /** Starts the setuid program as the tenant, in the cgroup of this file; the launcher lets it gain nothing. */
  function startRoots(file: string): ChildProcess {
    const child = spawn('sh', ['-c', `read line; exec ${program} 600`], {
      uid,
      gid: uid,
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    children.push(child);
    writeFileSync(join(dirname(file), 'cgroup.procs'), String(child.pid));
    child.stdin.write('\n');
    return child;
  }

  async function end(child: ChildProcess): Promise<void> {
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  function driverOf() {
    const driver = host.probe();
    assert.ok(driver.ok);
    return driver.value;
  }

  const connected = () =>
    eventually('a client is connected', () => {
      const found = clientsOfSocket(socket);
      return found.ok && found.value.size > 0 ? [...found.value.values()] : undefined;
    });

  test('are known by the account that made them', async () => {
    const client = start('perl', '-e', lasting, socket);
    assert.deepEqual(await connected(), [uid]);
    await end(client);
  });

  test('are found by several looks if they connect for moments', async () => {
    const client = start('perl', '-e', brief, socket);
    await connected();
    const clients = new Clients(driverOf(), host.paths);
    const search = new ClientSearch();
    while (search.canFreeze === undefined) {
      const found = await clients.find(tenant, [socket]);
      search.add(found.ok ? found.value : undefined, performance.now() * 1000);
      await sleep(37);
    }
    assert.equal(search.canFreeze, true);
    assert.equal(search.freezable.length, 1);
    await end(client);
  });

  test('are left alone while a program with the rights of root is among them', async () => {
    const client = start('perl', '-e', lasting, socket);
    await connected();
    const clients = new Clients(driverOf(), host.paths);
    const find = async () => {
      const found = await clients.find(tenant, [socket]);
      assert.ok(found.ok);
      return found.value;
    };
    const { freezable } = await find();
    assert.equal(freezable.length, 1);
    const root = startRoots(freezable[0]!.path);
    const { refused } = await eventually('it is refused', async () => {
      const found = await find();
      return found.refused.length > 0 ? found : undefined;
    });
    assert.match(refused.join(), /processes of other accounts, or with their rights, are in /);
    assert.ok(!clients.mayFreeze(tenant, freezable[0]!));
    await end(root);
    await eventually('it is freezable again', async () => (await find()).freezable.length === 1);
    await end(client);
  });

  test('are paused for a reseller whose tenants owe together, and no longer', async () => {
    const client = start('perl', '-e', lasting, socket);
    await connected();
    using holder = new Holder({
      paths: host.paths,
      mode: 'on',
      driver: driverOf(),
      onProblem: (problem) => assert.fail(formatProblem(problem)),
    });
    const use = { tenant, usedMicroseconds: 0, elapsedMicroseconds: 1e5, limitFraction: 1 };
    const look = async (pausing: readonly number[]) => {
      const held = holder.look([use], [socket], true, new Set(pausing));
      await sleep(50);
      return held[0];
    };
    await eventually('it is frozen', async () => {
      const held = await look([uid]);
      assert.deepEqual([held?.owes, held?.isForReseller, held?.rung], [true, true, 'freeze']);
      return frozenOf(host.paths).length === 1;
    });
    assert.equal(await look([]), undefined);
    assert.deepEqual(frozenOf(host.paths), []);
    await end(client);
  });

  test('are thawed when a program gets the rights of root while they are being frozen', async (t) => {
    const client = start('perl', '-e', lasting, socket);
    await connected();
    const problems: string[] = [];
    using holder = new Holder({
      paths: host.paths,
      mode: 'on',
      driver: driverOf(),
      onProblem: (problem) => problems.push(formatProblem(problem)),
    });
    const use = {
      tenant,
      usedMicroseconds: 1e6,
      elapsedMicroseconds: 1e5,
      limitFraction: 0.01,
    };
    // As if it had begun after the processes were examined.
    t.mock.method(Clients.prototype, 'mayFreeze', () => true);
    const look = async () => {
      holder.look([use], [socket]);
      await sleep(50);
    };
    const frozen = await eventually('it is frozen', async () => {
      await look();
      return frozenOf(host.paths)[0];
    });
    const root = startRoots(`${frozen}/cgroup.procs`);
    let thawed = 0;
    await eventually('it is thawed at once', async () => {
      await look();
      thawed = frozenOf(host.paths).length === 0 ? thawed + 1 : 0;
      return thawed > 10;
    });
    assert.deepEqual(problems, []);
    await end(root);
    await end(client);
  });
});
