/** `db enable` and `db disable` in a real PostgreSQL server, also when they are killed, and what the function refuses. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { capStatement, isName } from '../../../src/database/core/rights/postgresql/sql.ts';
import {
  connectDatabase,
  type DatabaseConnection,
} from '../../../src/database/io/client/connect.ts';
import { readAccounts } from '../../../src/database/io/connection-numbers.ts';
import {
  disableServer,
  enableServer,
  planServer,
  planUndo,
  type EnableTarget,
} from '../../../src/database/io/enable.ts';
import {
  lockDatabases,
  readNumbers,
  readServers,
  writeNumbers,
} from '../../../src/database/io/record-file.ts';
import { eventually } from '../../../testing/patience.ts';
import {
  postgresqlMissing,
  startPostgresql,
  type PostgresqlServer,
} from '../../../testing/postgresql.ts';
import { suiteDirectory, temporaryDirectory } from '../../../testing/temporary-directory.ts';

describe('rights in a PostgreSQL server', { skip: postgresqlMissing }, () => {
  let server: PostgresqlServer;
  let connection: DatabaseConnection;
  let target: EnableTarget;
  const directory = suiteDirectory('postgresql-rights');
  const states = suiteDirectory('postgresql-rights-state');

  before(async () => {
    server = await startPostgresql(directory);
    connection = await server.connect();
    for (const each of ['alice_1', 'bob_1'])
      await server.sql(`CREATE ROLE ${each} LOGIN PASSWORD '${each}'`);
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
        `SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit,
           rolpassword IS NULL AS none FROM pg_authid ORDER BY 1`,
        'SELECT roleid::regrole, member::regrole, admin_option FROM pg_auth_members ORDER BY 1, 2',
        'SELECT nspname, nspacl, nspowner::regrole FROM pg_namespace ORDER BY 1',
        `SELECT proname, prosrc, proacl, prosecdef, proconfig, proowner::regrole, obj_description(oid, 'pg_proc')
           FROM pg_proc WHERE pronamespace <> 'pg_catalog'::regnamespace ORDER BY 1`,
      ].map((sql) => server.sql(sql)),
    );
    return JSON.stringify(rows.map((each) => each.map((row) => [...row])));
  };
  const numberOf = async (account: string) =>
    (
      await server.sql(
        `SELECT rolconnlimit AS it FROM pg_roles WHERE ${isName('rolname', account)}`,
      )
    )[0]?.get('it');

  /** Returns the worker's connection. No process of that user runs here, so a password stands for it. */
  async function worker(): Promise<DatabaseConnection> {
    await server.sql(`ALTER ROLE "bulkhead-db" PASSWORD 'sesame'`);
    server.allow('local all postgres peer\nlocal all all scram-sha-256\n');
    return eventually('the worker is let in', async () => {
      const opened = await connectDatabase(server.socket, {
        user: 'bulkhead-db',
        password: 'sesame',
      });
      return opened.ok && opened.value;
    });
  }

  test('enable is complete after one run, does nothing in the next, and disable leaves nothing', async () => {
    const was = await stateOf();
    assert.equal(valueOf(await planServer(target)).steps.length, 6);
    assert.equal(await stateOf(), was, 'a plan changes nothing');
    valueOf(await enableServer(target));
    assert.deepEqual(valueOf(await enableServer(target)).steps, []);
    assert.deepEqual(valueOf(readServers(target.paths)), [
      { socket: server.socket, userstat: true },
    ]);
    assert.equal(valueOf(await planUndo(target)).length, 5);
    assert.deepEqual(valueOf(await disableServer(target)), []);
    assert.equal(await stateOf(), was);
    assert.deepEqual(valueOf(readServers(target.paths)), []);
  });

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
      valueOf(await connection.query(capStatement('alice_1', 3)));
      const number = { socket: server.socket, account: 'alice_1', host: '' };
      valueOf(writeNumbers(target.paths, [{ ...number, before: -1, set: 3 }]));
      const ended = await disableServer({ ...target, connection: ending(connection, statements) });
      if (!ended.ok) valueOf(await disableServer(target));
      assert.equal(await stateOf(), was, `after ${statements} statements`);
      assert.deepEqual(valueOf(readServers(target.paths)), []);
      assert.deepEqual(valueOf(readNumbers(target.paths)), []);
      if (ended.ok) break;
    }
  });

  test('disable leaves a number that somebody else has changed', async () => {
    valueOf(await enableServer(target));
    const number = { socket: server.socket, account: 'bob_1', host: '' };
    valueOf(writeNumbers(target.paths, [{ ...number, before: -1, set: 3 }]));
    await server.sql('ALTER ROLE bob_1 CONNECTION LIMIT 44');
    assert.deepEqual(valueOf(await disableServer(target)), ['bob_1']);
    assert.equal(await numberOf('bob_1'), '44');
    await server.sql('ALTER ROLE bob_1 CONNECTION LIMIT -1');
  });

  test('roles, schemas and rights of others are refused, with what to do', async () => {
    for (const [make, undo, reason] of [
      ['CREATE ROLE "bulkhead-db"', 'DROP ROLE "bulkhead-db"', /no record of Bulkhead's/],
      ['CREATE SCHEMA bulkhead', 'DROP SCHEMA bulkhead', /that Bulkhead did not make/],
      [
        "CREATE SCHEMA bulkhead AUTHORIZATION alice_1; COMMENT ON SCHEMA bulkhead IS 'Made by Bulkhead'",
        'DROP SCHEMA bulkhead',
        /that Bulkhead did not make/,
      ],
    ] as const) {
      await server.sql(make);
      const refused = await enableServer(target);
      assert.ok(!refused.ok);
      assert.match(formatProblem(refused.error), reason);
      assert.deepEqual(valueOf(readServers(target.paths)), []);
      await server.sql(undo);
    }
    valueOf(await enableServer(target));
    await server.sql('GRANT USAGE ON SCHEMA bulkhead TO alice_1');
    const refused = await enableServer(target);
    assert.match(
      refused.ok ? '' : formatProblem(refused.error),
      /other roles have rights .*alice_1/,
    );
    await server.sql('REVOKE USAGE ON SCHEMA bulkhead FROM alice_1');
    await server.sql('GRANT EXECUTE ON FUNCTION bulkhead.trusts() TO PUBLIC');
    const everybody = await enableServer(target);
    assert.match(everybody.ok ? '' : formatProblem(everybody.error), /PUBLIC/);
    await server.sql('REVOKE EXECUTE ON FUNCTION bulkhead.trusts() FROM PUBLIC');
    valueOf(await disableServer(target));
  });

  test('rights that somebody gave the worker since are taken away', async () => {
    valueOf(await enableServer(target));
    const wanted = await stateOf();
    await server.sql(
      'ALTER ROLE "bulkhead-db" SUPERUSER; GRANT pg_read_server_files TO "bulkhead-db"',
    );
    valueOf(await enableServer(target));
    assert.equal(await stateOf(), wanted);
    valueOf(await disableServer(target));
  });

  test('a tenant can neither use the schema nor its functions', async () => {
    valueOf(await enableServer(target));
    server.allowAlso('');
    const alice = await server.connect('alice_1', 'alice_1');
    for (const sql of [
      capStatement('alice_1', 50),
      'SELECT bulkhead.trusts()',
      'CREATE FUNCTION bulkhead.f() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
      'ALTER ROLE alice_1 CONNECTION LIMIT 50',
    ]) {
      const done = await alice.query(sql);
      assert.ok(!done.ok && done.error.code === '42501', sql);
    }
    alice.close();
    valueOf(await disableServer(target));
  });

  test('the worker caps accounts without rights, whatever their names, and no others', async () => {
    valueOf(await enableServer(target));
    const names = ['alice_1', 'a"; DROP ROLE bob_1; --', "quo'te", 'ä\\ö', '%I%s', 'A'];
    for (const name of names.slice(1))
      await server.sql(`CREATE ROLE "${name.replaceAll('"', '""')}" LOGIN`);
    await server.sql(`CREATE ROLE boss SUPERUSER NOLOGIN; CREATE ROLE maker CREATEROLE LOGIN; CREATE ROLE replica REPLICATION LOGIN;
      CREATE ROLE above NOLOGIN; CREATE ROLE heir LOGIN; GRANT boss TO above; GRANT above TO heir;
      CREATE ROLE reader LOGIN; GRANT pg_read_server_files TO reader; CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher`);
    const connected = await worker();
    for (const name of [...names, 'watcher']) {
      const done = await connected.query(capStatement(name, 7));
      assert.ok(done.ok, `${name}: ${JSON.stringify(done)}`);
      assert.equal(await numberOf(name), '7', name);
      valueOf(await connected.query(capStatement(name, -1)));
    }
    for (const [name, number] of [
      ['postgres', 1],
      ['bulkhead-db', 1],
      ['boss', 1],
      ['maker', 1],
      ['replica', 1],
      ['heir', 1],
      ['reader', 1],
      ['above', 1],
      ['none such', 1],
      ['', 1],
      ['alice_1', -2],
      ['alice_1', 100_001],
    ] as const) {
      const done = await connected.query(capStatement(name, number));
      assert.ok(
        !done.ok && done.error.code === 'P0001',
        `${name} ${number}: ${JSON.stringify(done)}`,
      );
    }
    const listed = valueOf(await readAccounts(connected));
    const ofRoot = valueOf(await readAccounts(connection, 'root'));
    assert.deepEqual(listed, ofRoot);
    const privileges = (name: string) => listed.find(({ account }) => account === name)?.privileges;
    assert.deepEqual(privileges('alice_1'), []);
    assert.deepEqual(privileges('watcher'), []);
    assert.deepEqual(privileges('heir'), ['SUPERUSER']);
    assert.deepEqual(privileges('reader'), ['pg_read_server_files']);
    for (const sql of [
      'CREATE ROLE evil SUPERUSER',
      'ALTER ROLE alice_1 CONNECTION LIMIT 3',
      'GRANT pg_execute_server_program TO "bulkhead-db"',
      "COPY (SELECT 1) TO '/tmp/x'",
      'SELECT rolpassword FROM pg_authid',
      'CREATE OR REPLACE FUNCTION bulkhead.trusts() RETURNS boolean LANGUAGE sql AS $$SELECT false$$',
    ]) {
      const done = await connected.query(sql);
      assert.ok(!done.ok && done.error.code === '42501', `${sql}: ${JSON.stringify(done)}`);
    }
    connected.close();
    valueOf(await disableServer(target));
    assert.equal(await numberOf('bob_1'), '-1');
  });

  test('a tenant that keeps its role locked delays only its own number', async () => {
    valueOf(await enableServer(target));
    const connected = await worker();
    const alice = await server.connect('alice_1', 'alice_1');
    valueOf(await alice.query("BEGIN; ALTER ROLE alice_1 PASSWORD 'alice_1'"));
    const refused = await connected.query(capStatement('alice_1', 3));
    assert.ok(!refused.ok && refused.error.code === '55P03', JSON.stringify(refused));
    valueOf(await connected.query(capStatement('bob_1', 3)));
    valueOf(
      writeNumbers(target.paths, [
        { socket: server.socket, account: 'alice_1', host: '', before: 9, set: -1 },
      ]),
    );
    const late = await disableServer(target);
    assert.match(late.ok ? '' : formatProblem(late.error), /lock timeout/);
    valueOf(await alice.query('ROLLBACK'));
    valueOf(await connected.query('SELECT 1').then(() => disableServer(target)));
    assert.equal(await numberOf('alice_1'), '9');
    await server.sql(
      'ALTER ROLE alice_1 CONNECTION LIMIT -1; ALTER ROLE bob_1 CONNECTION LIMIT -1',
    );
    alice.close();
    connected.close();
  });

  test('an operator of the caller’s own changes nothing in the function', async () => {
    valueOf(await enableServer(target));
    await server.sql('CREATE ROLE chief SUPERUSER LOGIN');
    const connected = await worker();
    valueOf(await connected.query('SET search_path = pg_temp, public'));
    await connected.query(
      'CREATE FUNCTION pg_temp.format(text, name, integer) RETURNS text LANGUAGE sql AS $$SELECT $a$ALTER ROLE chief LOGIN$a$$$',
    );
    for (const setting of ['on', 'off']) {
      valueOf(await connected.query(`SET standard_conforming_strings = ${setting}`));
      const refused = await connected.query(`SELECT bulkhead.cap(decode('6368696566', 'hex'), 1)`);
      assert.ok(!refused.ok && refused.error.code === 'P0001', JSON.stringify(refused));
    }
    connected.close();
    valueOf(await disableServer(target));
  });

  test('lines with trust are seen, also for the worker, and those for the server itself are not', async () => {
    valueOf(await enableServer(target));
    const isAnybodys = async () =>
      valueOf(await readAccounts(connection, 'root')).some(({ account }) => account === '');
    assert.equal(await isAnybodys(), false);
    for (const [rules, is] of [
      ['local all postgres trust\n', false],
      ['local replication all trust\n', false],
      ['local all bulkhead-db trust\n', true],
      ['local all all trust\n', true],
      ['host all all 127.0.0.1/32 trust\n', true],
      ['local alice +staff,alice_1 trust\n', true],
    ] as const) {
      server.allowAlso(rules);
      assert.equal(await isAnybodys(), is, rules);
      assert.equal(
        (await server.sql('SELECT bulkhead.trusts() AS it'))[0]?.get('it'),
        is ? 't' : 'f',
      );
    }
    server.allowAlso('');
    valueOf(await disableServer(target));
  });

  test('a password is kept as a hash', async () => {
    valueOf(await enableServer({ ...target, password: 'open' }));
    server.allow('local all postgres peer\nlocal all all scram-sha-256\n');
    await eventually('the worker is let in', async () => {
      const opened = await connectDatabase(server.socket, {
        user: 'bulkhead-db',
        password: 'open',
      });
      if (opened.ok) opened.value.close();
      return opened.ok;
    });
    assert.ok(!server.output.includes("'open'"));
    valueOf(await disableServer(target));
  });

  test('an account that is not a superuser is refused', async () => {
    server.allowAlso('');
    const alice = await server.connect('alice_1', 'alice_1');
    const refused = await enableServer({ ...target, connection: alice });
    assert.match(refused.ok ? '' : formatProblem(refused.error), /not a superuser/);
    alice.close();
  });
});

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

function valueOf<T>(result: Result<T, Problem>): T {
  if (!result.ok) throw new Error(formatProblem(result.error));
  return result.value;
}
