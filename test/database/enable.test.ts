/** `db enable` and `db disable` in a real MariaDB server, also when they are killed. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { formatProblem, type Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import { capStatement } from '../../src/database/core/rights/enable-sql.ts';
import { connectDatabase, type DatabaseConnection } from '../../src/database/io/client/connect.ts';
import {
  disableServer,
  enableServer,
  planServer,
  type EnableTarget,
} from '../../src/database/io/enable.ts';
import {
  lockDatabases,
  readNumbers,
  readServers,
  writeNumbers,
} from '../../src/database/io/record-file.ts';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../testing/mariadb.ts';
import { suiteDirectory, temporaryDirectory } from '../../testing/temporary-directory.ts';

describe('rights in a server', { skip: mariadbMissing }, () => {
  let server: MariadbServer;
  let connection: DatabaseConnection;
  let target: EnableTarget;
  const directory = suiteDirectory('database-enable');
  const states = suiteDirectory('database-enable-state');

  before(async () => {
    server = await startMariadb(directory, [`--log-bin=${directory}/data/bin`, '--server-id=7']);
    connection = await server.connect();
    for (const each of ['alice_1', 'bob_1']) await server.sql(`CREATE USER ${each}@localhost`);
  });
  after(async () => {
    connection.close();
    await server.stop();
  });
  beforeEach(() => {
    const state = temporaryDirectory('state', states).path;
    valueOf(lockDatabases({ state })).release();
    target = { paths: { state }, socket: server.socket, connection };
  });

  /** Everything that Bulkhead could have changed. */
  const stateOf = async (): Promise<string> => {
    const rows = await Promise.all(
      [
        "SELECT User, Host, JSON_REMOVE(Priv, '$.password_last_changed', '$.version_id') FROM mysql.global_priv ORDER BY 1, 2",
        'SELECT * FROM mysql.tables_priv ORDER BY 1, 2, 3, 4',
        'SELECT Db, Routine_name, User, Proc_priv FROM mysql.procs_priv ORDER BY 1, 2, 3',
        'SELECT schema_name, schema_comment FROM information_schema.schemata ORDER BY 1',
        'SELECT db, name, body, definer FROM mysql.proc ORDER BY 1, 2',
        'SELECT table_schema, view_definition FROM information_schema.views ORDER BY 1, 2',
        'SELECT @@GLOBAL.userstat',
      ].map((sql) => server.sql(sql)),
    );
    const dates = /\["timestamp","[^"]*"\]/g;
    return JSON.stringify(rows.map((each) => each.map((row) => [...row]))).replace(dates, '""');
  };

  test('enable is complete after one run, does nothing in the next, and disable leaves nothing', async () => {
    const was = await stateOf();
    const done = valueOf(await enableServer(target));
    assert.equal(done.steps.length, 14);
    assert.deepEqual(valueOf(await planServer(target)).steps, []);
    assert.deepEqual(valueOf(await enableServer(target)).steps, []);
    assert.equal(await userstat(), '1');
    assert.deepEqual(valueOf(readServers(target.paths)), [
      { socket: server.socket, userstat: false },
    ]);
    assert.deepEqual(valueOf(await disableServer(target)), []);
    assert.equal(await stateOf(), was);
    assert.deepEqual(valueOf(readServers(target.paths)), []);
  });

  const userstat = async () => (await server.sql('SELECT @@GLOBAL.userstat AS it'))[0]?.get('it');

  test('enable that ended after any statement is completed by the next run', async () => {
    valueOf(await enableServer(target));
    const wanted = await stateOf();
    valueOf(await disableServer(target));
    const was = await stateOf();
    for (let statements = 1; ; statements += 1) {
      const ended = await enableServer({ ...target, connection: ending(connection, statements) });
      valueOf(await enableServer(target));
      assert.equal(await stateOf(), wanted, `after ${statements} statements`);
      valueOf(await disableServer(target));
      assert.equal(await stateOf(), was, `after ${statements} statements`);
      if (ended.ok) break;
    }
  });

  test('disable that ended after any statement is completed by the next run', async () => {
    const was = await stateOf();
    for (let statements = 1; ; statements += 1) {
      valueOf(await enableServer(target));
      valueOf(await connection.query(capStatement('alice_1', 'localhost', 3)));
      const number = { socket: server.socket, account: 'alice_1', host: 'localhost' };
      valueOf(writeNumbers(target.paths, [{ ...number, before: 0, set: 3 }]));
      const ended = await disableServer({ ...target, connection: ending(connection, statements) });
      if (!ended.ok) valueOf(await disableServer(target));
      assert.equal(
        withoutZero(await stateOf()),
        withoutZero(was),
        `after ${statements} statements`,
      );
      assert.deepEqual(valueOf(readServers(target.paths)), []);
      assert.deepEqual(valueOf(readNumbers(target.paths)), []);
      if (ended.ok) break;
    }
  });

  /** The server keeps a number that was set back as 0. */
  const withoutZero = (state: string) => state.replaceAll(/, ?\\"max_user_connections\\": ?0/g, '');

  test('disable leaves a number that somebody else has changed', async () => {
    valueOf(await enableServer(target));
    const number = { socket: server.socket, account: 'bob_1', host: 'localhost' };
    valueOf(writeNumbers(target.paths, [{ ...number, before: 0, set: 3 }]));
    await server.sql('ALTER USER bob_1@localhost WITH MAX_USER_CONNECTIONS 44');
    assert.deepEqual(valueOf(await disableServer(target)), ['bob_1@localhost']);
    const [row] = await server.sql(
      "SELECT JSON_VALUE(Priv, '$.max_user_connections') AS it FROM mysql.global_priv WHERE User = 'bob_1'",
    );
    assert.equal(row?.get('it'), '44');
  });

  test('nothing of it goes to the binary log', async () => {
    const position = async () =>
      JSON.stringify([...((await server.sql('SHOW MASTER STATUS'))[0] ?? [])]);
    const was = await position();
    valueOf(await enableServer(target));
    const worker = await as(server, 'bulkhead-db');
    valueOf(await worker.query(capStatement('alice_1', 'localhost', 3)));
    worker.close();
    valueOf(await disableServer(target));
    assert.equal(await position(), was);
  });

  test('a schema, an account or rights of somebody else are refused, and nothing is changed', async () => {
    const obstacles: readonly (readonly [make: string, remove: string, reason: RegExp])[] = [
      ['CREATE SCHEMA bulkhead', 'DROP SCHEMA bulkhead', /schema "bulkhead" that Bulkhead did not/],
      [
        'CREATE USER `bulkhead-db`@localhost',
        'DROP USER `bulkhead-db`@localhost',
        /account "bulkhead-db" that is in no record/,
      ],
      [
        'CREATE USER `bulkhead-cap`@localhost',
        'DROP USER `bulkhead-cap`@localhost',
        /account "bulkhead-cap" that is in no record/,
      ],
      [
        'GRANT ALL ON `bulk%`.* TO alice_1@localhost',
        'REVOKE ALL ON `bulk%`.* FROM alice_1@localhost',
        /alice_1@localhost/,
      ],
    ];
    for (const [make, remove, reason] of obstacles) {
      await server.sql(make);
      const was = await stateOf();
      const done = await enableServer(target);
      assert.ok(!done.ok);
      assert.match(done.error.reason, reason);
      assert.equal(await stateOf(), was);
      assert.deepEqual(valueOf(readServers(target.paths)), []);
      await server.sql(remove);
    }
  });

  test('rights that grew, an unlocked definer and a dropped one are repaired', async () => {
    valueOf(await enableServer(target));
    const wanted = await stateOf();
    for (const damage of [
      'GRANT SUPER, FILE ON *.* TO `bulkhead-db`@localhost',
      'REVOKE PROCESS ON *.* FROM `bulkhead-db`@localhost',
      'ALTER USER `bulkhead-cap`@localhost ACCOUNT UNLOCK',
      'DROP USER `bulkhead-cap`@localhost',
      'DROP USER `bulkhead-db`@localhost',
      'DROP PROCEDURE bulkhead.cap',
      'DROP VIEW bulkhead.accounts',
      "ALTER USER `bulkhead-db`@localhost IDENTIFIED BY ''",
      'SET GLOBAL userstat = 0',
    ]) {
      await server.sql(damage);
      valueOf(await enableServer(target));
      assert.equal(await stateOf(), wanted, damage);
    }
    valueOf(await disableServer(target));
  });

  test('a read-only server says what does not work', async () => {
    await server.sql('SET GLOBAL read_only = 1');
    const plan = valueOf(await planServer(target));
    assert.match(plan.remarks.join('\n'), /read-only/);
    await server.sql('SET GLOBAL read_only = 0');
    assert.deepEqual(valueOf(await planServer(target)).remarks, []);
  });
});

test(
  'without unix_socket, the worker logs in by the password of its file',
  { skip: mariadbMissing },
  async () => {
    const directory = temporaryDirectory('database-password', undefined, 0o755);
    const state = temporaryDirectory('database-password-state');
    const server = await startMariadb(directory.path);
    try {
      await server.sql("ALTER USER root@localhost IDENTIFIED BY ''");
      await server.stop();
      await server.start(['--unix-socket=OFF']);
      const { socket } = server;
      const login = (user: string, password: string) => connectDatabase(socket, { user, password });
      const root = await server.connect();
      const paths = { state: state.path };
      valueOf(lockDatabases(paths)).release();
      const target = { paths, socket, connection: root };
      const refused = await enableServer(target);
      assert.ok(!refused.ok);
      assert.match(refused.error.reason, /unix_socket is not active/);
      valueOf(await enableServer({ ...target, password: 'sesame' }));
      const worker = await login('bulkhead-db', 'sesame');
      assert.ok(worker.ok, JSON.stringify(worker));
      worker.value.close();
      for (const [user, password] of [
        ['bulkhead-db', 'other'],
        ['bulkhead-db', ''],
        ['bulkhead-cap', ''],
      ] as const)
        assert.ok(!(await login(user, password)).ok, user);
      valueOf(await disableServer(target));
      root.close();
    } finally {
      await server.stop();
      directory.remove();
      state.remove();
    }
  },
);

/** Returns a connection that fails after so many statements have been done, as if this process had been killed. */
function ending(connection: DatabaseConnection, statements: number): DatabaseConnection {
  let left = statements;
  return {
    protocol: connection.protocol,
    version: connection.version,
    pid: connection.pid,
    isOpen: true,
    close: () => {},
    query: (sql) =>
      left-- > 0
        ? connection.query(sql)
        : Promise.resolve({ ok: false, error: { action: 'go on', reason: 'killed' } }),
  };
}

/** Returns a connection as an account that logs in by its process. */
async function as(server: MariadbServer, user: string): Promise<DatabaseConnection> {
  // The test has no process of that user.
  await server.sql('SET sql_log_bin = 0');
  await server.sql(`ALTER USER \`${user}\`@localhost IDENTIFIED BY ''`);
  return server.connect(user);
}

function valueOf<T>(result: Result<T, Problem>): T {
  if (!result.ok) throw new Error(formatProblem(result.error));
  return result.value;
}
