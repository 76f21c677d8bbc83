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
});
