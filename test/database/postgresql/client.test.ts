/** The client against a real PostgreSQL server. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connectDatabase } from '../../../src/database/io/client/connect.ts';
import { connectForRoot } from '../../../src/database/io/open-server.ts';
import {
  postgresqlMissing,
  startPostgresql,
  type PostgresqlServer,
} from '../../../testing/postgresql.ts';
import { eventually } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

describe('a client of PostgreSQL', { skip: postgresqlMissing }, () => {
  let server: PostgresqlServer;
  // Others can change /tmp, so no server there is trusted.
  const directory = suiteDirectory('postgresql-client', '/var/lib');

  before(async () => {
    server = await startPostgresql(directory);
    await server.sql("CREATE ROLE alice_1 LOGIN PASSWORD 'sésame'");
    await server.sql("SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'sesame'");
  });
  after(() => server.stop());

  test('root is the superuser by its process, and only for the moment of connecting', async () => {
    const opened = await connectForRoot(server.socket, { user: 'root' });
    assert.ok(opened.ok, JSON.stringify(opened));
    const rows = await opened.value.query("SELECT session_user AS me, NULL AS none, 'ä' AS Text");
    assert.ok(rows.ok);
    assert.deepEqual(
      [...(rows.value[0] ?? [])],
      [
        ['me', 'postgres'],
        ['none', null],
        ['text', 'ä'],
      ],
    );
    assert.equal(opened.value.pid, server.pid);
    assert.match(opened.value.version, /^PostgreSQL \d+/);
    assert.equal(process.geteuid?.(), 0);
    opened.value.close();
  });

  test('roles prove their passwords, by either method', async () => {
    server.allow('local all postgres peer\nlocal all old md5\nlocal all all scram-sha-256\n');
    (await server.connect('alice_1', 'sésame')).close();
    await eventually('the new rules are in force', async () => {
      const opened = await connectDatabase(server.socket, { user: 'old', password: 'sesame' });
      if (opened.ok) opened.value.close();
      return opened.ok;
    });
    for (const login of [
      { user: 'alice_1', password: 'other' },
      { user: 'old', password: 'other' },
      { user: 'alice_1' },
      { user: 'nobody-such', password: 'x' },
    ]) {
      const bad = await connectDatabase(server.socket, login);
      assert.ok(!bad.ok, JSON.stringify(login));
    }
  });

  test('a statement that takes too long ends the connection, not the caller', async () => {
    const quick = { replyMilliseconds: 300, asUid: server.uid };
    const opened = await connectDatabase(server.socket, { user: 'postgres' }, quick);
    assert.ok(opened.ok, JSON.stringify(opened));
    const slow = await opened.value.query('SELECT pg_sleep(600)');
    assert.ok(!slow.ok && slow.error.reason === 'the server did not answer within 300 ms');
    assert.ok(!opened.value.isOpen);
  });

  test('a wrong statement is an error, and the connection goes on', async () => {
    const connection = await server.connect();
    const wrong = await connection.query('SELEKT 1');
    assert.ok(!wrong.ok && wrong.error.code === '42601', JSON.stringify(wrong));
    const both = await connection.query('SELECT 1 AS one; SELECT 2 AS two');
    assert.ok(both.ok && both.value[0]?.get('two') === '2');
    assert.ok((await connection.query('')).ok);
    connection.close();
  });

  test('a reply of too many rows or bytes ends the connection', async () => {
    for (const sql of [
      'SELECT i FROM generate_series(1, 20000) i',
      "SELECT repeat('x', 20000000)",
      'COPY (SELECT 1) TO STDOUT',
    ]) {
      const connection = await server.connect();
      assert.equal((await connection.query(sql)).ok, false, sql);
      assert.ok(!connection.isOpen, sql);
    }
  });

  test('a connection that the server ends says why', async () => {
    const connection = await server.connect();
    await server.sql(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = session_user',
    );
    const next = await connection.query('SELECT 1');
    assert.ok(!next.ok && !connection.isOpen);
    assert.match(
      next.error.reason,
      /terminating connection|closed the connection|EPIPE|ECONNRESET/,
    );
  });
});
