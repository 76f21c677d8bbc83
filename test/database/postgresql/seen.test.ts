/** A PostgreSQL server as the agent sees it: down, restarted, hung, full, with hostile texts. Real servers. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { attribute, measuredConstants } from '../../../src/database/core/use/attribution.ts';
import type { Look } from '../../../src/database/core/look.ts';
import type { DatabaseConnection } from '../../../src/database/io/client/connect.ts';
import { clientsOfSocket } from '../../../src/sys/sockets/unix-diag.ts';
import { WatchedServer } from '../../../src/database/io/worker/watched-server.ts';
import { endOf } from '../../../testing/end-of.ts';
import { eventually } from '../../../testing/patience.ts';
import {
  postgresqlMissing,
  startPostgresql,
  type PostgresqlServer,
} from '../../../testing/postgresql.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

/** An account that every host has. */
const nobody = { uid: 65_534, gid: 65_534 };

describe('a PostgreSQL server that the agent watches', { skip: postgresqlMissing }, () => {
  // Others can change /tmp, so no server there is trusted.
  const directory = suiteDirectory('postgresql-seen', '/var/lib');
  let server: PostgresqlServer;
  let watched: WatchedServer;
  let now = 0;

  before(async () => {
    server = await startPostgresql(directory, { max_connections: '12' });
    await server.sql(
      'CREATE ROLE nobody LOGIN; GRANT pg_read_all_stats, pg_signal_backend TO nobody',
    );
    for (const each of ['alice_1', 'bob_1'])
      await server.sql(`CREATE ROLE ${each} LOGIN PASSWORD '${each}'`);
  });
  after(() => server.stop());
  // A test that is left out watches nothing.
  afterEach(() => watched?.[Symbol.dispose]());

  /** Each call is 31 s later for it, so it tries again. */
  function watch(): WatchedServer {
    const address = { at: server.socket, server: { uid: server.uid, gid: server.gid } };
    watched = new WatchedServer({
      address,
      login: () => ({ user: 'nobody' }),
      worker: nobody,
      clock: () => (now += 31_000),
    });
    return watched;
  }
  const seen = (watching: WatchedServer): Promise<Look> =>
    eventually(
      'a look',
      () => watching.look(),
      () => JSON.stringify(watching.state),
    );
  const alice = () => server.connect('alice_1', 'alice_1');

  test('is seen by a process that is not root', async () => {
    const look = await seen(watch());
    assert.ok(watched.state.kind === 'seen');
    assert.match(watched.state.version, /^PostgreSQL/);
    assert.deepEqual(
      watched.state.missing.map((each) => each.slice(0, 27)),
      ['the CPU time of connections'],
    );
    assert.ok(look.accounts.some(({ account }) => account === 'nobody'));
    assert.ok(look.serverCpuMicroseconds !== undefined && look.serverCpuMicroseconds > 0);
    const status = readFileSync(`/proc/${watched.pid}/status`, 'utf8');
    assert.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m);
  });

  test('charges a kept connection with what it computes, also while a statement runs', async () => {
    const [own, other] = [await alice(), await server.connect('bob_1', 'bob_1')];
    const first = await seen(watch());
    const slow = own.query('SELECT count(md5(i::text)) FROM generate_series(1, 1000000) i');
    const during = await seen(watched);
    await slow;
    for (let count = 0; count < 50; count += 1)
      await own.query('SELECT count(md5(i::text)) FROM generate_series(1, 1000) i');
    const last = await seen(watched);
    const used = (a: Look, b: Look) => attribute(a, b, measuredConstants);
    const all = used(first, last).get('alice_1') ?? 0;
    const sum =
      (used(first, during).get('alice_1') ?? 0) + (used(during, last).get('alice_1') ?? 0);
    assert.ok(Math.abs(all - sum) < 1, `${all} ${sum}`);
    const server_ = (last.serverCpuMicroseconds ?? 0) - (first.serverCpuMicroseconds ?? 0);
    // The rest is the look itself and the server's own processes, whose times are in ticks.
    assert.ok(all > 0.5 * server_ && all < server_ + 50_000, `${all} of ${server_}`);
    assert.ok((used(first, last).get('bob_1') ?? 0) < all / 10);
    own.close();
    other.close();
  });

  test('charges processes that help a statement to its account', async () => {
    await server.sql(
      'CREATE TABLE public.big AS SELECT i, md5(i::text) t FROM generate_series(1, 200000) i; GRANT SELECT ON public.big TO alice_1',
    );
    const own = await alice();
    for (const name of [
      'min_parallel_table_scan_size',
      'parallel_setup_cost',
      'parallel_tuple_cost',
    ])
      await own.query(`SET ${name} = 0`);
    const first = await seen(watch());
    const slow = own.query(
      'SELECT sum(length(repeat(md5(t), 300))) FROM public.big CROSS JOIN generate_series(1, 20)',
    );
    const helpers = await eventually('processes help', async () => {
      const rows = await server.sql(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'parallel worker' AND leader_pid IS NOT NULL",
      );
      return rows.length > 0 && rows.length;
    });
    const during = await seen(watched);
    const sessions = during.sessions.filter(({ account }) => account === 'alice_1');
    assert.equal(sessions.length, 1, `${helpers} helpers are no connections`);
    const used = attribute(first, during, measuredConstants).get('alice_1') ?? 0;
    assert.ok(used > 0);
    assert.ok(Math.abs((sessions[0]?.runningCpuMicroseconds ?? 0) - used) < 1);
    await server.sql(
      "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'alice_1'",
    );
    await slow;
    own.close();
  });

  test('goes on when a tenant runs a text that is valid in no encoding', async () => {
    await server.sql(
      "CREATE DATABASE odd ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'",
    );
    await seen(watch());
    const args = ['-X', '-h', server.directory, '-U', 'alice_1', 'odd'];
    const env = { PGPASSWORD: 'alice_1', PGCLIENTENCODING: 'SQL_ASCII', PATH: '/usr/bin:/bin' };
    const own = spawn('psql', args, { env, stdio: ['pipe', 'ignore', 'ignore'] });
    const odd = Buffer.from([0xff, 0xfe, 0xe4, 0xf0, 0x9f]);
    // A client that could not log in closes it.
    own.stdin.on('error', () => {});
    own.stdin.end(
      Buffer.concat([Buffer.from('SELECT pg_sleep(600) /* '), odd, Buffer.from(' */;')]),
    );
    const look = await eventually('it runs', async () => {
      assert.equal(own.exitCode, null);
      const found = await seen(watched);
      return found.sessions.some((each) => each.account === 'alice_1' && each.isRunning) && found;
    });
    const session = look.sessions.find(({ account }) => account === 'alice_1');
    assert.match(session?.statement ?? '', /pg_sleep\(600\) \/\* .*\ufffd/);
    await server.sql(
      "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'alice_1'",
    );
    await endOf(own);
  });

  test('that is down is away, and is seen again after a restart', async () => {
    const first = await seen(watch());
    await server.stop('SIGQUIT');
    await eventually('it is away', () => watched.look().then(() => watched.state.kind === 'away'));
    await server.start();
    const again = await seen(watched);
    const used = attribute(first, again, measuredConstants);
    assert.ok(
      [...used.values()].every((each) => each >= 0),
      JSON.stringify([...used]),
    );
  });

  test('that hangs is hung, blocks nobody, and is seen again', async () => {
    const first = await seen(watch());
    const own = first.sessions.find(({ account }) => account === 'nobody');
    assert.ok(own !== undefined);
    // The first process and the one that serves the agent: the others go on.
    try {
      for (const pid of [own.id, server.pid]) process.kill(pid, 'SIGSTOP');
      // Processes that run when the signal is sent may still answer.
      await eventually(
        'it is hung',
        async () => (await watched.look()) === undefined && watched.state.kind === 'hung',
      );
    } finally {
      for (const pid of [server.pid, own.id]) process.kill(pid, 'SIGCONT');
    }
    await seen(watched);
  });

  test('without free connections goes on to be seen, by the connection that is open', async () => {
    watch();
    // A look that comes late closes the connection, and no other is free then: everything begins again.
    await eventually('a look', async () => {
      await seen(watched);
      const open: DatabaseConnection[] = [];
      try {
        for (;;) open.push(await alice());
      } catch {
        assert.ok(open.length > 3);
      }
      const look = await watched.look();
      for (const each of open) each.close();
      const sessions = look?.sessions.filter(({ account }) => account === 'alice_1');
      if (sessions !== undefined) assert.equal(sessions.length, open.length);
      return look !== undefined;
    });
  });

  test('whose worker is killed gets another', async () => {
    await seen(watch());
    const { pid } = watched;
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGKILL');
    await seen(watched);
    assert.notEqual(watched.pid, pid);
  });

  test('that does not let the worker in says what to add', async () => {
    server.allow('local all postgres peer\nlocal all all scram-sha-256\n');
    await eventually('it is refused', async () => {
      const refused = watch();
      await refused.look();
      const isRefused = /local all nobody peer/.test(JSON.stringify(refused.state));
      if (!isRefused) refused[Symbol.dispose]();
      return isRefused;
    });
    server.allowAlso('');
  });

  test('shows its clients to the kernel, so that they can be paused', async () => {
    await seen(watch());
    const before_ = clientsOfSocket(server.socket);
    const own = await alice();
    const after_ = clientsOfSocket(server.socket);
    assert.ok(before_.ok && after_.ok);
    assert.equal(after_.value.size - before_.value.size, 1);
    own.close();
  });
});
