/** Attacks of tenants on what ends their statements and connections. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { decideEndings, noAttempts, type Attempts } from '../../src/database/core/backstops.ts';
import type { BackstopLimits } from '../../src/database/core/backstops.ts';
import type { DatabaseConnection } from '../../src/database/io/client/connect.ts';
import { endSessions } from '../../src/database/io/end-sessions.ts';
import { openMariadb } from '../../src/database/io/mariadb/look.ts';
import type { DatabaseServer } from '../../src/database/io/server.ts';
import { formatProblem, type Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../testing/mariadb.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

/** INNODB_TRX is as old as the last question, unless nobody has asked for 0.1 s. */
const transactionsMilliseconds = 150;

describe('a tenant', { skip: mariadbMissing }, () => {
  let server: MariadbServer;
  let seen: DatabaseServer;
  let bob: DatabaseConnection;
  let bobsStatement: Promise<unknown>;
  const directory = suiteDirectory('database-sessions');
  const owners = new Map<string, number>([['bob_1', 1002]]);

  before(async () => {
    server = await startMariadb(directory, ['--max-allowed-packet=64M']);
    for (const statement of [
      'CREATE SCHEMA alice',
      'CREATE USER bob_1@localhost',
      'CREATE USER watcher@localhost',
      'GRANT PROCESS, CONNECTION ADMIN ON *.* TO watcher@localhost',
      'CREATE DEFINER = root@localhost PROCEDURE alice.by_root() SQL SECURITY DEFINER SELECT SLEEP(600)',
      'CREATE PROCEDURE alice.loops() BEGIN DECLARE n INT DEFAULT 0; WHILE TRUE DO SET n = n + 1; DO SLEEP(0.02); END WHILE; END',
    ])
      await server.sql(statement);
    for (let number = 1; number <= 12; number += 1) {
      owners.set(`alice_${number}`, 1001);
      await server.sql(`CREATE USER alice_${number}@localhost`);
      await server.sql(`GRANT ALL ON alice.* TO alice_${number}@localhost`);
    }
    seen = valueOf(await openMariadb(await server.connect('watcher')));
    bob = await server.connect('bob_1');
    bobsStatement = bob.query('SELECT SLEEP(6000)');
  });
  after(async () => {
    bob.close();
    seen.connection.close();
    await server.stop();
    await bobsStatement;
  });

  /** Looks and ends until nothing of alice's is above her limits; bob has none. */
  const enforce = async (limits: BackstopLimits, isDone: () => boolean | Promise<boolean>) => {
    let attempts: Attempts = noAttempts;
    await eventually('her sessions are ended', async () => {
      await sleep(transactionsMilliseconds);
      const { sessions } = valueOf(await seen.look());
      const rules = { owners, limits: new Map([[1001, limits]]), privileged: new Set<string>() };
      const decided = decideEndings({ sessions }, rules, attempts);
      attempts = decided.attempts;
      assert.ok(decided.endings.every(({ tenant }) => tenant === 1001));
      const { problems } = await endSessions(seen.connection, decided.endings);
      assert.deepEqual(problems.map(formatProblem), []);
      return isDone();
    });
    assert.ok(bob.isOpen);
  };

  const ended = (running: Promise<unknown>) => {
    let isOver = false;
    void running.then(() => (isOver = true));
    return () => isOver;
  };

  /** Her connection, seen once before she does anything. */
  const connectSeen = async (account = 'alice_1') => {
    const alice = await server.connect(account);
    valueOf(await alice.query('SELECT 1'));
    valueOf(await seen.look());
    return alice;
  };

  test('that lifts every limit of its session is ended all the same', async () => {
    const alice = await connectSeen();
    for (const statement of [
      'SET SESSION max_statement_time = 0',
      'SET SESSION idle_transaction_timeout = 0',
      'SET SESSION wait_timeout = 31536000',
      'SET SESSION sql_log_bin = 1',
    ])
      await alice.query(statement);
    const running = alice.query('SET STATEMENT max_statement_time = 0 FOR SELECT SLEEP(600)');
    await enforce({ statementMilliseconds: 1 }, ended(running));
    alice.close();
  });

  test('that hides in a routine of root is ended by its connection', async () => {
    const alice = await connectSeen();
    const running = alice.query('CALL alice.by_root()');
    await enforce({ statementMilliseconds: 1 }, ended(running));
    alice.close();
  });

  test('that loops in a procedure is ended', async () => {
    const alice = await connectSeen();
    const running = alice.query('CALL alice.loops()');
    await enforce({ statementMilliseconds: 1 }, ended(running));
    alice.close();
  });

  test('that prepares its statement is ended', async () => {
    const alice = await connectSeen();
    valueOf(await alice.query("PREPARE p FROM 'SELECT SLEEP(600)'"));
    const running = alice.query('EXECUTE p');
    await enforce({ statementMilliseconds: 1 }, ended(running));
    alice.close();
  });

  test('that uses many accounts has one number for all of them', async () => {
    const accounts = [...owners.keys()].filter((each) => each !== 'bob_1');
    const open = await Promise.all(accounts.map((each) => connectSeen(each)));
    const left = () => open.filter(({ isOpen }) => isOpen).length;
    await enforce({ connections: 5 }, () => left() <= 5);
    const { sessions } = valueOf(await seen.look());
    assert.equal(sessions.filter(({ account }) => owners.get(account) === 1001).length, 5);
    for (const each of open) each.close();
  });

  test('that opens connections and sleeps loses those above its number', async () => {
    const open = await Promise.all(Array.from({ length: 20 }, () => connectSeen()));
    await enforce({ connections: 2 }, () => open.filter(({ isOpen }) => isOpen).length <= 2);
    for (const each of open) each.close();
  });

  test('that sends statements of 16 MiB is seen with 200 characters of them', async () => {
    const alice = await connectSeen();
    // The server expands it, so that the client stays within its own bound.
    valueOf(
      await alice.query("SET @s = CONCAT('SELECT SLEEP(600), ''', REPEAT('x', 16777216), '''')"),
    );
    const running = alice.query('EXECUTE IMMEDIATE @s');
    await eventually('her statement is seen', async () => {
      const { sessions } = valueOf(await seen.look());
      const own = sessions.find(({ account, isRunning }) => account === 'alice_1' && isRunning);
      assert.ok((own?.statement.length ?? 0) <= 200);
      return own !== undefined;
    });
    await enforce({ statementMilliseconds: 1 }, ended(running));
    alice.close();
  });

  test('that holds locks in an idle transaction loses them', async () => {
    await server.sql('CREATE TABLE alice.t (id INT PRIMARY KEY) ENGINE = InnoDB');
    await server.sql('INSERT INTO alice.t VALUES (1)');
    const alice = await connectSeen();
    valueOf(await alice.query('BEGIN'));
    valueOf(await alice.query('SELECT * FROM alice.t FOR UPDATE'));
    await enforce({ transactionMilliseconds: 1 }, () => !alice.isOpen);
    await server.sql('DELETE FROM alice.t');
  });
});

function valueOf<T>(result: Result<T, Problem>): T {
  if (!result.ok) throw new Error(formatProblem(result.error));
  return result.value;
}
