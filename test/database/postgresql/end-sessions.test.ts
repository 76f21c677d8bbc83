/** Statements, transactions and connections that end in a real PostgreSQL server, and those that do not. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { formatProblem } from '../../../packages/base/problem.ts';
import type { Ending } from '../../../src/database/core/backstops.ts';
import type { Session } from '../../../src/database/core/look.ts';
import type { DatabaseConnection } from '../../../src/database/io/client/connect.ts';
import { endSessions } from '../../../src/database/io/end-sessions.ts';
import { kindOf } from '../../../src/database/io/kinds.ts';
import type { DatabaseServer } from '../../../src/database/io/server.ts';
import { findEndings } from '../../../src/database/io/tenant-sessions.ts';
import { eventually } from '../../../testing/patience.ts';
import {
  postgresqlMissing,
  startPostgresql,
  type PostgresqlServer,
} from '../../../testing/postgresql.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

describe('sessions of PostgreSQL', { skip: postgresqlMissing }, () => {
  let server: PostgresqlServer;
  let worker: DatabaseConnection;
  let seen: DatabaseServer;
  const directory = suiteDirectory('postgresql-sessions');

  before(async () => {
    server = await startPostgresql(directory);
    for (const each of ['alice_1', 'bob_1', 'watcher'])
      await server.sql(`CREATE ROLE ${each} LOGIN PASSWORD '${each}'`);
    await server.sql('CREATE ROLE chief SUPERUSER LOGIN PASSWORD $$chief$$');
    await server.sql('GRANT pg_read_all_stats, pg_signal_backend TO watcher');
    worker = await server.connect('watcher', 'watcher');
    const opened = await kindOf(worker).open(worker);
    assert.ok(opened.ok);
    seen = opened.value;
  });
  after(async () => {
    worker.close();
    await server.stop();
  });

  const connect = (user: string) => server.connect(user, user);
  const sessionsOf = async (account: string): Promise<readonly Session[]> => {
    const look = await seen.look();
    if (!look.ok) throw new Error(formatProblem(look.error));
    return look.value.sessions.filter((each) => each.account === account);
  };
  const one = (account: string, wanted: (session: Session) => boolean) =>
    eventually('the session', async () => (await sessionsOf(account)).find(wanted));
  const isRunning = (session: Session) => session.isRunning;
  const ending = (
    { id, account }: Session,
    why: Ending['why'],
    what: Ending['what'],
    allowed = 0,
  ): Ending => ({ id, account, tenant: 1001, what, why, found: 1, allowed, statement: '' });
  const end = async (...endings: readonly Ending[]) => {
    const { ended, over, problems } = await endSessions(worker, endings);
    assert.deepEqual(problems, []);
    return { ended: ended.length, over: over.length };
  };

  test('a statement ends, and its connection goes on', async () => {
    const alice = await connect('alice_1');
    const slow = alice.query('SELECT pg_sleep(600)');
    const session = await one('alice_1', isRunning);
    assert.equal(session.statement, 'SELECT pg_sleep(600)');
    assert.deepEqual(await end(ending(session, 'statement', 'statement', 600_000)), {
      ended: 0,
      over: 1,
    });
    assert.equal((await end(ending(session, 'statement', 'statement'))).ended, 1);
    const done = await slow;
    assert.ok(!done.ok && done.error.code === '57014', JSON.stringify(done));
    assert.ok((await alice.query('SELECT 1')).ok);
    assert.equal((await end(ending(session, 'statement', 'statement'))).over, 1);
    alice.close();
  });

  test('what a session sets does not keep its statement from ending', async () => {
    const alice = await connect('alice_1');
    await alice.query("SET statement_timeout = 0; SET application_name = 'x'; SET ROLE alice_1");
    for (const sql of [
      'DO $$BEGIN LOOP BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN OTHERS THEN END; END LOOP; END$$',
      'SELECT sum(i) FROM generate_series(1, 10000000000) i',
    ]) {
      const slow = alice.query(sql);
      await one('alice_1', isRunning);
      await eventually('it ends', async () => {
        const session = (await sessionsOf('alice_1')).find(isRunning);
        if (session !== undefined) await end(ending(session, 'statement', 'statement'));
        return session === undefined;
      });
      assert.equal((await slow).ok, false);
    }
    alice.close();
  });

  test('a transaction that waits is closed, and one that works is not', async () => {
    const alice = await connect('alice_1');
    await alice.query('BEGIN; SELECT 1');
    const session = await one(
      'alice_1',
      ({ transactionMilliseconds }) => transactionMilliseconds !== undefined,
    );
    assert.equal(session.isRunning, false);
    assert.equal((await end(ending(session, 'transaction', 'connection', 600_000))).over, 1);
    const busy = alice.query('SELECT pg_sleep(600)');
    const working = await one('alice_1', isRunning);
    assert.equal((await end(ending(working, 'transaction', 'connection'))).over, 1);
    await end(ending(working, 'request', 'statement'));
    await busy;
    const failed = await one(
      'alice_1',
      ({ transactionMilliseconds }) => transactionMilliseconds !== undefined,
    );
    assert.equal((await end(ending(failed, 'transaction', 'connection'))).ended, 1);
    await eventually('it is closed', async () => (await sessionsOf('alice_1')).length === 0);
    alice.close();
  });

  test('a session of another account, of the server or of a superuser does not end', async () => {
    const bob = await connect('bob_1');
    const chief = await connect('chief');
    const slow = [bob, chief].map((each) => each.query('SELECT pg_sleep(600)'));
    const session = await one('bob_1', isRunning);
    assert.equal(
      (await end({ ...ending(session, 'request', 'connection'), account: 'alice_1' })).over,
      1,
    );
    const [row] = await server.sql(
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'",
    );
    const checkpointer = { ...session, id: Number(row?.get('pid')) };
    for (const account of ['', 'bob_1', 'postgres'])
      assert.equal(
        (await end(ending({ ...checkpointer, account }, 'request', 'connection'))).over,
        1,
      );
    const powerful = await one('chief', isRunning);
    const { problems } = await endSessions(worker, [ending(powerful, 'request', 'connection')]);
    assert.match(problems.map(formatProblem).join(), /superuser|SUPERUSER|42501/);
    assert.ok(bob.isOpen && chief.isOpen);
    await server.sql(
      "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename IN ('bob_1', 'chief')",
    );
    await Promise.all(slow);
    bob.close();
    chief.close();
  });

  test('db kill finds the statements of a tenant, and not of its accounts with rights', async () => {
    await server.sql("CREATE ROLE alice_admin CREATEROLE LOGIN PASSWORD 'alice_admin'");
    const connections = await Promise.all(
      ['alice_1', 'alice_1', 'alice_admin', 'bob_1'].map(connect),
    );
    const [first, , admin, bob] = connections;
    assert.ok(first && admin && bob);
    const slow = [first, admin, bob].map((each) => each.query('SELECT pg_sleep(600)'));
    const root = await server.connect();
    const isOwn = (account: string) => account.startsWith('alice_');
    const find = async (what: 'statement' | 'connection') => {
      const found = await findEndings(root, { tenant: 1001, isOwn, what });
      if (!found.ok) throw new Error(formatProblem(found.error));
      return found.value;
    };
    const statements = await eventually('it runs', async () => {
      const found = await find('statement');
      return found.length === 1 && found;
    });
    assert.equal((await endSessions(root, statements)).ended.length, 1);
    await slow[0];
    const all = await find('connection');
    assert.deepEqual(
      all.map(({ account }) => account),
      ['alice_1', 'alice_1'],
    );
    assert.equal((await endSessions(root, all)).ended.length, 2);
    await eventually('they are gone', async () => (await find('connection')).length === 0);
    assert.ok(admin.isOpen && bob.isOpen);
    await server.sql(
      "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename IN ('bob_1', 'alice_admin')",
    );
    await Promise.all(slow);
    for (const each of [...connections, root]) each.close();
  });
});
