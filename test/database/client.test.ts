/** The client against a real MariaDB server. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connectDatabase } from '../../src/database/io/client/connect.ts';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../testing/mariadb.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

describe('a client of MariaDB', { skip: mariadbMissing }, () => {
  let server: MariadbServer;
  const directory = suiteDirectory('database-client');

  before(async () => {
    server = await startMariadb(directory);
  });
  after(() => server.stop());

  test('root logs in by its process, and reads rows', async () => {
    const rows = await server.sql("SELECT 1 AS one, NULL AS none, 'ä' AS Text");
    assert.deepEqual(
      rows.map((row) => [...row]),
      [
        [
          ['one', '1'],
          ['none', null],
          ['text', 'ä'],
        ],
      ],
    );
  });

  test('the kernel knows the pid of the server', async () => {
    const connection = await server.connect();
    assert.equal(connection.pid, server.pid);
    assert.match(connection.version, /^\d+\.\d+\.\d+-MariaDB/);
    connection.close();
  });

  test('an account with a password proves it', async () => {
    await server.sql("CREATE USER alice@localhost IDENTIFIED BY 'sesame'");
    const good = await connectDatabase(server.socket, { user: 'alice', password: 'sesame' });
    assert.ok(good.ok);
    good.value.close();
    const bad = await connectDatabase(server.socket, { user: 'alice', password: 'other' });
    assert.ok(!bad.ok && bad.error.code === 1045, JSON.stringify(bad));
  });

  test('a statement that takes too long ends the connection, not the caller', async () => {
    const quick = { replyMilliseconds: 200 };
    const opened = await connectDatabase(server.socket, { user: 'root' }, quick);
    assert.ok(opened.ok);
    const slow = await opened.value.query('SELECT SLEEP(600)');
    assert.ok(!slow.ok && slow.error.reason === 'the server did not answer within 200 ms');
    assert.ok(!opened.value.isOpen);
  });

  test('a wrong statement is an error, and the connection goes on', async () => {
    const connection = await server.connect();
    const wrong = await connection.query('SELEKT 1');
    assert.ok(!wrong.ok && wrong.error.code === 1064, JSON.stringify(wrong));
    assert.ok((await connection.query('SELECT 1')).ok);
    connection.close();
  });

  test('replies of too many rows and bytes are errors', async () => {
    for (const [statement, reason] of [
      ['SELECT seq FROM mysql.seq_1_to_20000', /more than 10000 rows/],
      ["SELECT REPEAT('a', 3000000) FROM mysql.seq_1_to_9", /its reply is too long/],
    ] as const) {
      const connection = await server.connect();
      const rows = await connection.query(statement);
      assert.ok(!rows.ok && reason.test(rows.error.reason), JSON.stringify(rows).slice(0, 300));
      assert.ok(!connection.isOpen);
    }
  });

  test('a server that is killed is an error', async () => {
    const connection = await server.connect();
    await server.stop('SIGKILL');
    const gone = await connection.query('SELECT 1');
    assert.ok(!gone.ok, 'the connection ended');
    const refused = await connectDatabase(server.socket, { user: 'root' });
    assert.ok(!refused.ok && refused.error.reason === 'no server listens there');
    await server.start();
    await server.sql('SELECT 1');
  });
});
