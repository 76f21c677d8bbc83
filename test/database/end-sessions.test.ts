/** Statements, transactions and connections that are ended in a real MariaDB server. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import type { Ending, EndReason } from '../../src/database/core/backstops.ts';
import type { DatabaseConnection } from '../../src/database/io/client/connect.ts';
import { endSessions } from '../../src/database/io/end-sessions.ts';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../testing/mariadb.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

/** INNODB_TRX is as old as the last question, unless nobody has asked for 0.1 s. */
const transactionsMilliseconds = 150;

describe('ending sessions', { skip: mariadbMissing }, () => {
  let server: MariadbServer;
  let worker: DatabaseConnection;
  const directory = suiteDirectory('database-end');

  before(async () => {
    server = await startMariadb(directory);
    for (const statement of [
      'CREATE SCHEMA alice',
      'CREATE USER alice_1@localhost',
      'GRANT ALL ON alice.* TO alice_1@localhost',
      'CREATE TABLE alice.t (id INT PRIMARY KEY, k INT) ENGINE = InnoDB',
      'INSERT INTO alice.t VALUES (1, 1)',
      `CREATE PROCEDURE alice.stubborn() BEGIN
        DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;
        WHILE TRUE DO DO SLEEP(0.05); END WHILE;
      END`,
      'CREATE USER watcher@localhost',
      'GRANT PROCESS, CONNECTION ADMIN ON *.* TO watcher@localhost',
    ])
      await server.sql(statement);
    worker = await server.connect('watcher');
  });
  after(async () => {
    worker.close();
    await server.stop();
  });

  const idOf = async (connection: DatabaseConnection): Promise<number> => {
    const rows = await connection.query('SELECT CONNECTION_ID() AS id');
    assert.ok(rows.ok);
    return Number(rows.value[0]?.get('id'));
  };

  const ending = (id: number, why: EndReason, what: Ending['what']): Ending => ({
    id,
    why,
    what,
    account: 'alice_1',
    tenant: 1001,
    found: 0,
    allowed: 1,
    statement: '',
  });

  const isThere = async (id: number) =>
    (await server.sql(`SELECT 1 FROM information_schema.processlist WHERE id = ${id}`)).length > 0;

  /** Ends it as soon as the server shows that it does what it is ended for. */
  const endWhenSeen = (each: Ending) =>
    eventually('the session is ended', async () => {
      await sleep(transactionsMilliseconds);
      const { ended, problems } = await endSessions(worker, [each]);
      assert.deepEqual(problems.map(formatProblem), []);
      return ended.length === 1;
    });

  test('a statement ends, and its connection goes on', async () => {
    const alice = await server.connect('alice_1');
    const id = await idOf(alice);
    const running = alice.query(
      'SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, information_schema.columns c',
    );
    await endWhenSeen(ending(id, 'statement', 'statement'));
    const done = await running;
    assert.ok(!done.ok && done.error.code === 1317, JSON.stringify(done));
    assert.equal(await idOf(alice), id);
    alice.close();
  });

  test('a statement that is over is left alone', async () => {
    const alice = await server.connect('alice_1');
    const id = await idOf(alice);
    const { ended, over } = await endSessions(worker, [
      ending(id, 'statement', 'statement'),
      ending(id, 'statement', 'connection'),
      ending(id, 'transaction', 'connection'),
      ending(999_999, 'statement', 'connection'),
    ]);
    assert.deepEqual([ended.length, over.length], [0, 4]);
    assert.equal(await idOf(alice), id);
    alice.close();
  });

  test('a procedure that handles the error goes on, and loses its connection', async () => {
    const alice = await server.connect('alice_1');
    const id = await idOf(alice);
    const running = alice.query('CALL alice.stubborn()');
    for (const _ of [1, 2, 3]) await endWhenSeen(ending(id, 'statement', 'statement'));
    await endWhenSeen(ending(id, 'statement', 'connection'));
    assert.equal((await running).ok, false);
    await eventually('the connection is gone', async () => !(await isThere(id)));
    alice.close();
  });

  test('an idle transaction loses its connection, and its locks are free', async () => {
    const alice = await server.connect('alice_1');
    const id = await idOf(alice);
    for (const statement of ['BEGIN', 'UPDATE alice.t SET k = 2 WHERE id = 1'])
      assert.ok((await alice.query(statement)).ok);
    await endWhenSeen(ending(id, 'transaction', 'connection'));
    await eventually('the connection is gone', async () => !(await isThere(id)));
    await server.sql('UPDATE alice.t SET k = 3 WHERE id = 1');
    alice.close();
  });

  test('an idle connection without a transaction counts as no transaction', async () => {
    const alice = await server.connect('alice_1');
    const id = await idOf(alice);
    const { over } = await endSessions(worker, [ending(id, 'transaction', 'connection')]);
    assert.equal(over.length, 1);
    alice.close();
  });

  test('connections above the number are ended', async () => {
    const alice = await server.connect('alice_1');
    const id = await idOf(alice);
    await endWhenSeen(ending(id, 'connections', 'connection'));
    await eventually('the connection is gone', async () => !(await isThere(id)));
    alice.close();
  });
});
