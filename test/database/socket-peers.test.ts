/**
 * Tenants' use of a real server by the sockets of their clients. A kernel that refuses the programs gives a reason, and
 * leaves only that to test; `test/vm/long/database-peers.test.ts` runs this file on one that takes them.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { namesIn, readText } from '../../packages/base/io/read.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import { compileBpf } from '../../scripts/bpf.ts';
import type { PeersRule, ServerProcess } from '../../src/database/core/peers/peer-maps.ts';
import { openServer } from '../../src/database/io/open-server.ts';
import { threadCpuMicroseconds } from '../../src/database/io/mariadb/threads.ts';
import { findServerProcess } from '../../src/database/io/peers/server-process.ts';
import { SocketPeers } from '../../src/database/io/peers/socket-peers.ts';
import type { DatabaseServer } from '../../src/database/io/server.ts';
import { packageFile } from '../../src/sys/package-files.ts';
import { setThreadUids } from '../../src/sys/syscalls.ts';
import { freePort } from '../../testing/free-port.ts';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../testing/mariadb.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { eventually } from '../../testing/patience.ts';
import { logToStderr } from '../../testing/progress.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

/** Nobody has these uids; the last is a subordinate one of the first. */
const [alice, bob, stranger, subordinate] = [64_371, 64_372, 64_373, 810_005];
const same = 0xffff_ffff;
const rule: PeersRule = { tenants: [alice, bob], ranges: [[810_000, 875_535, alice]] };
const client = fileURLToPath(new URL('load-client.ts', import.meta.url));
const seconds = 5;
/** The least part of what a server does for clients that must be charged to them. */
const least = 0.9;
/** A server has nothing to do for clients if it does nothing for them for so long. */
const quietMilliseconds = 200;

/** Returns the object of the package, or one that is compiled here; undefined without a compiler. */
async function objectFile(): Promise<string | undefined> {
  const packaged = packageFile('dist/bpf/database.bpf.o');
  if (existsSync(packaged)) return packaged;
  const ready = await ensurePrerequisites('bpf', logToStderr);
  if (!ready.ok) return undefined;
  const objects = compileBpf(suiteDirectory('database-peers-object'));
  return objects.find((each) => each.endsWith('/database.bpf.o'));
}

const file = await objectFile();
const isRoot = process.getuid?.() === 0;
const loaded = file === undefined || !isRoot ? undefined : SocketPeers.load(rule, '/run', file);
const refusal =
  loaded === undefined
    ? 'it needs root, clang and libbpf'
    : loaded.ok
      ? false
      : formatProblem(loaded.error);
if (process.env['BULKHEAD_TRACING'] === 'required') assert.equal(refusal, false);

test(
  'a kernel that refuses the programs gives a reason in one line',
  {
    skip: loaded === undefined || loaded.ok,
  },
  () => {
    assert.match(String(refusal), /^Cannot [^\n]+$/);
  },
);

describe(
  "a real server's clients are seen by their sockets",
  {
    skip: refusal === false ? mariadbMissing : refusal,
  },
  () => {
    const peers = loaded?.ok === true ? loaded.value : undefined!;
    // Others can change /tmp, so no server there is trusted.
    const directory = suiteDirectory('database-peers', '/var/lib', 0o755);
    let server: MariadbServer;
    let watching: DatabaseServer;
    let process: ServerProcess;
    let port = 0;

    async function watch(): Promise<void> {
      const owner = { uid: server.uid, gid: server.uid };
      const opened = await openServer({ at: server.socket, server: owner }, { user: 'root' });
      assert.ok(opened.ok, JSON.stringify(opened));
      watching = opened.value;
      const found = findServerProcess(watching.sight.pid, server.uid);
      assert.ok(found !== undefined);
      process = found;
      peers.watch([process]);
    }

    before(async () => {
      port = await freePort();
      server = await startMariadb(directory, [
        '--userstat=1',
        '--skip-networking=0',
        '--bind-address=127.0.0.1',
        `--port=${port}`,
      ]);
      for (const each of [
        'CREATE DATABASE shared',
        'CREATE USER owner@localhost',
        'GRANT ALL ON shared.* TO owner@localhost',
        // Whoever comes by TCP.
        "CREATE USER owner@'127.0.0.1'",
        "GRANT ALL ON shared.* TO owner@'127.0.0.1'",
        'CREATE TABLE shared.t (id INT PRIMARY KEY, k INT NOT NULL, c CHAR(120) NOT NULL, pad CHAR(60) NOT NULL) ENGINE=InnoDB',
        'INSERT INTO shared.t SELECT seq, seq MOD 1000, REPEAT(MD5(seq), 3), MD5(seq + 1) FROM shared.seq_1_to_20000',
        `CREATE PROCEDURE shared.work() SQL SECURITY DEFINER BEGIN DECLARE i INT DEFAULT 0;
         WHILE i < 5 DO SELECT SUM(CRC32(CONCAT(c, pad))) INTO @x FROM shared.t; SET i = i + 1; END WHILE; END`,
      ])
        await server.sql(each);
      await watch();
    });
    after(async () => {
      peers[Symbol.dispose]();
      await server.stop();
    });

    const totals = () => {
      const read = peers.read(process);
      assert.ok(read !== undefined);
      return read;
    };

    /** Returns what each uid, and others, have used meanwhile, as parts of what the server used for clients. */
    async function partsOf(work: () => Promise<unknown>) {
      const threads = new ClientThreads(server.pid);
      await threads.areIdle();
      // No look counts: it is work for a client itself, and as much as that of tenants on a slow machine.
      const [before, first] = [totals(), threads.read()];
      const timer = setInterval(() => threads.read(), quietMilliseconds);
      await work().finally(() => clearInterval(timer));
      // Threads go on for a moment after their client has left.
      await threads.areIdle();
      const [now, all] = [totals(), threads.read() - first];
      const used = (uid: number) => (now.tenants.get(uid) ?? 0) - (before.tenants.get(uid) ?? 0);
      const [ofAlice, ofBob, others] = [used(alice), used(bob), now.others - before.others];
      const sum = ofAlice + ofBob + others;
      assert.ok(sum <= all * 1.05, `${sum} of ${all} microseconds that the server has used`);
      const part = (microseconds: number) => microseconds / all;
      return { alice: part(ofAlice), bob: part(ofBob), others: part(others) };
    }

    const run = (uid: number, work: string, connections = 2, socket = server.socket) =>
      runClient(uid, [socket, 'owner', 'shared', work, `${connections}`, `${seconds}`, '0']);

    for (const [name, work] of [
      ['pages: connect, 21 statements, close', 'page'],
      ['kept connections with short statements', 'point'],
      ['scans', 'scan'],
      ['prepared statements', 'prepared'],
      ['a routine with a DEFINER', 'routine'],
    ] as const)
      test(`${name} count for the tenant, whatever its account`, async (context) => {
        const parts = await partsOf(() => run(alice, work));
        context.diagnostic(JSON.stringify(parts));
        assert.ok(parts.alice >= least, JSON.stringify(parts));
        assert.ok(parts.bob < 0.02, JSON.stringify(parts));
      });

    test('two tenants at once are told apart', async (context) => {
      const parts = await partsOf(() => Promise.all([run(alice, 'scan', 1), run(bob, 'page', 1)]));
      context.diagnostic(JSON.stringify(parts));
      assert.ok(parts.alice + parts.bob >= least, JSON.stringify(parts));
      assert.ok(parts.alice > 0.1 && parts.bob > 0.1, JSON.stringify(parts));
    });

    test('subordinate uids count for their tenant, and strangers for no tenant', async () => {
      const own = await partsOf(() => run(subordinate, 'scan', 1));
      assert.ok(own.alice >= least, JSON.stringify(own));
      const strange = await partsOf(() => run(stranger, 'scan', 1));
      assert.ok(strange.others >= least, JSON.stringify(strange));
      assert.ok(strange.alice + strange.bob < 0.02, JSON.stringify(strange));
    });

    test('clients by TCP count for no tenant, also in a thread that worked for one before', async () => {
      const bridge = join(directory, 'bridge.sock');
      const listener = createServer((from) => bridgeSockets(from, connect(port, '127.0.0.1')));
      listener.listen({ path: bridge, writableAll: true });
      await once(listener, 'listening');
      try {
        // Leaves threads in the server's cache.
        await run(alice, 'point');
        const parts = await partsOf(() => run(alice, 'scan', 2, bridge));
        assert.ok(parts.others >= least, JSON.stringify(parts));
        assert.ok(parts.alice < 0.02, JSON.stringify(parts));
      } finally {
        listener.close();
        rmSync(bridge, { force: true });
      }
    });

    test('a socket counts for whoever connected it', async () => {
      const parts = await partsOf(async () => {
        assert.equal(setThreadUids(bob, same, same), undefined);
        const opening = server.connect('owner');
        assert.equal(setThreadUids(0, same, same), undefined);
        const connection = await opening;
        const asked = await connection.query('SELECT BENCHMARK(200000, MD5(RAND()))');
        assert.ok(asked.ok);
        connection.close();
      });
      assert.ok(parts.bob >= least, JSON.stringify(parts));
    });

    test('a statement counts while it still runs', async () => {
      const before = totals().tenants.get(bob) ?? 0;
      assert.equal(setThreadUids(bob, same, same), undefined);
      const opening = server.connect('owner');
      assert.equal(setThreadUids(0, same, same), undefined);
      const connection = await opening;
      const running = connection.query('SELECT SLEEP(0), BENCHMARK(300000000, MD5(RAND()))');
      const used = () => (totals().tenants.get(bob) ?? 0) - before;
      await eventually(
        'it has counted',
        () => used() > 300_000,
        () => `${used()} microseconds`,
      );
      await server.sql('KILL QUERY USER owner@localhost');
      await running;
      connection.close();
    });

    test('a server that is started again begins anew, and only the named process counts', async () => {
      const old = process;
      await server.stop('SIGTERM');
      await server.start();
      assert.equal(findServerProcess(old.pid, server.uid), undefined);
      await watch();
      assert.equal(peers.read(old), undefined);
      assert.equal(totals().tenants.size, 0);
      const parts = await partsOf(() => run(alice, 'page'));
      assert.ok(parts.alice >= least, JSON.stringify(parts));
      const before = totals();
      peers.watch([]);
      assert.equal(peers.read(process), undefined);
      peers.watch([process]);
      assert.notEqual(totals().name, before.name, 'its sums begin anew');
      // One that starts at another time has another process.
      peers.watch([{ ...process, started: process.started + 1n }]);
      await run(alice, 'point');
      assert.equal(peers.read({ ...process, started: process.started + 1n })?.tenants.size, 0);
    });
  },
);

/** The CPU time of a server's threads for clients. Those for other work come and go unseen, so nothing is known of it. */
class ClientThreads {
  readonly #pid: number;
  #known: ReadonlyMap<string, number> = new Map();
  #total = 0;

  constructor(pid: number) {
    this.#pid = pid;
  }

  /** Returns the microseconds so far, also of threads that have ended since they were read. */
  read(): number {
    const now = new Map<string, number>();
    for (const tid of namesIn(`/proc/${this.#pid}/task`)) {
      if (readText(`/proc/${this.#pid}/task/${tid}/comm`) !== 'one_connection\n') continue;
      const cpu = threadCpuMicroseconds(this.#pid, Number(tid)) ?? 0;
      now.set(tid, cpu);
      const before = this.#known.get(tid) ?? 0;
      this.#total += cpu < before ? cpu : cpu - before;
    }
    this.#known = now;
    return this.#total;
  }

  async areIdle(): Promise<void> {
    await eventually('the server has nothing to do for clients', async () => {
      const before = this.read();
      await sleep(quietMilliseconds);
      return this.read() === before;
    });
  }
}

function bridgeSockets(one: Socket, other: Socket): void {
  one.pipe(other).pipe(one);
  for (const each of [one, other]) each.on('error', () => each.destroy());
}

/** Runs a client as this user. */
async function runClient(uid: number, args: readonly string[]): Promise<void> {
  const as = ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
  const child = spawn('setpriv', [...as, process.execPath, client, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await once(child, 'close');
  const { n = 0 } = JSON.parse(output === '' ? '{}' : output) as { readonly n?: number };
  assert.ok(n > 0, `the client did nothing: ${output}`);
}
