/** A server as the agent sees it: down, restarted, hung, full, reset, and a worker that dies. Real servers. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { attribute, measuredConstants } from '../../src/database/core/use/attribution.ts';
import type { Look } from '../../src/database/core/look.ts';
import type { DatabaseConnection } from '../../src/database/io/client/connect.ts';
import { WatchedServer } from '../../src/database/io/worker/watched-server.ts';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../testing/mariadb.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

/** An account that every host has, for unix_socket. */
const nobody = { uid: 65_534, gid: 65_534 };

describe('a server that the agent watches', { skip: mariadbMissing }, () => {
  // Others can change /tmp, so no server there is trusted.
  const directory = suiteDirectory('database-worker', '/var/lib');
  let server: MariadbServer;
  let watched: WatchedServer;
  let now = 0;

  before(async () => {
    server = await startMariadb(directory, ['--userstat=1', '--max-connections=10']);
    await server.sql('CREATE USER nobody@localhost IDENTIFIED VIA unix_socket');
    await server.sql('GRANT PROCESS, CONNECTION ADMIN ON *.* TO nobody@localhost');
    await server.sql("CREATE USER alice_1@localhost IDENTIFIED BY ''");
  });
  after(() => server.stop());
  afterEach(() => watched[Symbol.dispose]());

  /** Each call is 31 s later for it, so it tries again. */
  function watch(): WatchedServer {
    const address = { at: server.socket, server: { uid: server.uid, gid: server.uid } };
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

  test('is seen by a process that is not root', async () => {
    const look = await seen(watch());
    assert.equal(watched.state.kind, 'seen');
    assert.ok(look.accounts.some(({ account }) => account === 'nobody'));
    assert.ok(look.serverCpuMicroseconds !== undefined && look.serverCpuMicroseconds > 0);
    const status = readFileSync(`/proc/${watched.pid}/status`, 'utf8');
    assert.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m);
    assert.match(status, /^CapEff:\t0+$/m);
  });

  test('that is down is away, and is seen again after a restart with counters that begin anew', async () => {
    await server.sql('SELECT 1', 'alice_1');
    const first = await seen(watch());
    await server.stop('SIGKILL');
    assert.equal(
      await eventually('it is away', () =>
        watched.look().then(() => watched.state.kind === 'away'),
      ),
      true,
    );
    await server.start();
    const again = await seen(watched);
    const used = attribute(first, again, measuredConstants);
    assert.ok(
      [...used.values()].every((each) => each >= 0),
      JSON.stringify([...used]),
    );
  });

  test('that hangs is hung, blocks nobody, and is seen again', async () => {
    await seen(watch());
    process.kill(server.pid, 'SIGSTOP');
    try {
      // Threads that run when the signal is sent may still answer.
      await eventually(
        'it is hung',
        async () => (await watched.look()) === undefined && watched.state.kind === 'hung',
      );
    } finally {
      process.kill(server.pid, 'SIGCONT');
    }
    await seen(watched);
  });

  test('without free connections goes on to be seen, by the connection that is open', async () => {
    await seen(watch());
    const open: DatabaseConnection[] = [];
    try {
      for (;;) open.push(await server.connect('alice_1'));
    } catch {
      assert.ok(open.length > 3);
    }
    const look = await seen(watched);
    assert.ok(look.sessions.filter(({ account }) => account === 'alice_1').length >= open.length);
    for (const each of open) each.close();
  });

  test('whose statistics are reset goes on, without a negative use', async () => {
    await server.sql('SELECT COUNT(*) FROM information_schema.columns', 'alice_1');
    const first = await seen(watch());
    await server.sql('FLUSH USER_STATISTICS');
    const second = await seen(watched);
    for (const [account, used] of attribute(first, second, measuredConstants))
      assert.ok(used >= 0, `${account}: ${used}`);
  });

  test('that is replaced by one with other settings says what is missing', async () => {
    await seen(watch());
    await server.stop('SIGTERM');
    await server.start(['--userstat=0']);
    await eventually('the new one is seen', async () => {
      await watched.look();
      const { state } = watched;
      return state.kind === 'seen' && state.missing.some((each) => each.includes('userstat'));
    });
    await server.stop('SIGTERM');
    await server.start();
  });

  test('whose worker is killed gets another', async () => {
    await seen(watch());
    const { pid } = watched;
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGKILL');
    await seen(watched);
    assert.notEqual(watched.pid, pid);
  });

  test('that refuses the login says so', async () => {
    await server.sql('DROP USER nobody@localhost');
    assert.equal(await watch().look(), undefined);
    assert.match(JSON.stringify(watched.state), /Access denied/);
    await server.sql('CREATE USER nobody@localhost IDENTIFIED VIA unix_socket');
    await server.sql('GRANT PROCESS, CONNECTION ADMIN ON *.* TO nobody@localhost');
  });
});
