/** Attacks on the procedure that sets numbers of connections, by hostile names, by tenants, and by a taken-over worker. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { capStatement, sessionStatements } from '../../src/database/core/rights/enable-sql.ts';
import { readAccounts } from '../../src/database/io/connection-numbers.ts';
import { disableServer, enableServer } from '../../src/database/io/enable.ts';
import { writeNumbers } from '../../src/database/io/record-file.ts';
import { mariadbMissing } from '../../testing/mariadb.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { startEnabled, valueOf, type EnabledServer } from '../database/enabled-server.ts';

const hostileNames = [
  "al'ice",
  "'; DROP SCHEMA bulkhead; -- x",
  'back\\slash',
  "trailing\\'",
  'tick`tock',
  '``',
  "x`@`localhost` IDENTIFIED BY 'owned' WITH MAX_USER_CONNECTIONS 1 -- x",
  'quote"quote',
  'new\nline',
  'tab\t',
  '%',
  '_',
  'ünïcödé',
  '縗縗',
  'a'.repeat(80),
] as const;

const sqlModes = ['', 'NO_BACKSLASH_ESCAPES', 'ANSI_QUOTES', 'ORACLE', 'PAD_CHAR_TO_FULL_LENGTH'];

describe('the procedure', { skip: mariadbMissing }, () => {
  let enabled: EnabledServer;
  let { server, root, worker } = {} as EnabledServer;
  const directory = suiteDirectory('database-cap');
  const paths = { state: suiteDirectory('database-cap-state') };

  before(async () => {
    enabled = await startEnabled(directory, paths.state, [`--log-bin=${directory}/data/bin`]);
    ({ server, root, worker } = enabled);
  });
  after(() => enabled[Symbol.asyncDispose]());

  const quoted = (name: string) => `\`${name.replaceAll('`', '``')}\``;
  const priv = async (account: string) => {
    const rows = await server.sql('SELECT User, Host, Priv FROM mysql.global_priv');
    const row = rows.find((each) => each.get('user') === account);
    return JSON.parse(row?.get('priv') ?? '{}') as Record<string, unknown>;
  };
  const everything = async () =>
    JSON.stringify(
      (
        await server.sql(
          "SELECT User, Host, JSON_REMOVE(Priv, '$.max_user_connections') AS it FROM mysql.global_priv ORDER BY 1, 2",
        )
      ).map((row) => [...row.values()]),
    );
  const cap = (account: string, host = 'localhost', connections = 3) =>
    worker.query(capStatement(account, host, connections));
  const refuses = async (reason: RegExp, account: string, host?: string, connections?: number) => {
    const done = await cap(account, host, connections);
    assert.ok(!done.ok, account);
    assert.match(done.error.reason, reason, account);
  };

  test('a hostile name is set, and nothing else, in every sql_mode and character set', async () => {
    await server.sql("SET SESSION sql_mode = ''");
    for (const name of hostileNames)
      await server.sql(
        `CREATE USER ${quoted(name)}@localhost IDENTIFIED BY 'secret' REQUIRE SSL WITH MAX_QUERIES_PER_HOUR 7`,
      );
    const was = await everything();
    let number = 1;
    for (const mode of sqlModes)
      for (const charset of ['utf8mb4', 'latin1', 'gbk', 'sjis']) {
        valueOf(await worker.query(`SET SESSION sql_mode = '${mode}'`));
        valueOf(await worker.query(`SET NAMES ${charset}`));
        number += 1;
        for (const name of hostileNames) {
          const done = await cap(name, 'localhost', number);
          assert.ok(done.ok, `${mode} ${charset} ${name}`);
          assert.equal(
            (await priv(name))['max_user_connections'],
            number,
            `${mode} ${charset} ${name}`,
          );
        }
        assert.equal(await everything(), was, `${mode} ${charset}`);
      }
    for (const statement of ['SET SESSION sql_mode = DEFAULT', 'SET NAMES utf8mb4'])
      valueOf(await worker.query(statement));
    const listed = valueOf(await readAccounts(worker)).map(({ account }) => account);
    for (const name of hostileNames) assert.ok(listed.includes(name), name);
  });

  test('hostile names are set back', async () => {
    const numbers = hostileNames.map((account) => ({
      socket: server.socket,
      account,
      host: 'localhost',
      before: 9,
      set: 4,
    }));
    for (const name of hostileNames) valueOf(await cap(name, 'localhost', 4));
    valueOf(writeNumbers(paths, numbers));
    const target = { paths, socket: server.socket, connection: root };
    assert.deepEqual(valueOf(await disableServer(target)), []);
    for (const name of hostileNames)
      assert.equal((await priv(name))['max_user_connections'], 9, name);
    valueOf(await enableServer(target));
    await server.sql("ALTER USER `bulkhead-db`@localhost IDENTIFIED BY ''");
    worker.close();
    worker = await server.connect('bulkhead-db');
  });

  test('accounts of servers, with privileges, roles, and names that do not exist are refused', async () => {
    for (const statement of [
      "CREATE USER ''@localhost",
      'CREATE USER root@`10.0.0.1`',
      'CREATE USER `mysql.sys`@localhost',
      'CREATE USER super@localhost',
      'GRANT SUPER ON *.* TO super@localhost',
      'CREATE ROLE reader',
      'CREATE ROLE admin',
      'GRANT RELOAD ON *.* TO admin',
      'GRANT admin TO reader',
      'CREATE USER roled@localhost',
      'GRANT reader TO roled@localhost',
      'CREATE USER alice@localhost',
    ])
      await server.sql(statement);
    await refuses(/belongs to the server/, '');
    await refuses(/belongs to the server/, 'root');
    await refuses(/belongs to the server/, 'root', '10.0.0.1');
    await refuses(/belongs to the server/, 'mysql.sys');
    await refuses(/belongs to the server/, 'mariadb.sys');
    await refuses(/belongs to the server/, 'bulkhead-db');
    await refuses(/belongs to the server/, 'bulkhead-cap');
    await refuses(/global privileges/, 'super');
    await refuses(/a role of the account/, 'roled');
    await refuses(/no such account/, 'reader', '');
    await refuses(/no such account/, 'alice', '%');
    await refuses(/no such account/, 'alice ');
    await refuses(/no such account/, 'ALICE');
    await refuses(/no such account/, 'alice\0');
    await refuses(/from 0 to 100000/, 'alice', 'localhost', -1);
    await refuses(/from 0 to 100000/, 'alice', 'localhost', 100_001);
    const none = await worker.query("CALL bulkhead.cap('alice', 'localhost', NULL)");
    assert.ok(!none.ok);
    const text = "CALL bulkhead.cap('alice', 'localhost', '5 ACCOUNT LOCK')";
    assert.ok(!(await worker.query(text)).ok);
    valueOf(await worker.query("SET SESSION sql_mode = ''"));
    valueOf(await worker.query(text));
    valueOf(await worker.query('SET SESSION sql_mode = DEFAULT'));
    const { max_user_connections: number, account_locked: isLocked } = await priv('alice');
    assert.deepEqual([number, isLocked], [5, undefined]);
    const long = await worker.query(`CALL bulkhead.cap(REPEAT('a', 200), 'localhost', 5)`);
    assert.ok(!long.ok);
  });

  test('a failed call leaves the session as it was', async () => {
    await refuses(/no such account/, 'nobody');
    const rows = valueOf(await worker.query('SELECT @@SESSION.sql_log_bin AS it'));
    assert.equal(rows[0]?.get('it'), '1');
  });

  test('a taken-over worker cannot read data, make or change accounts, files, code or settings', async () => {
    await server.sql('CREATE TABLE IF NOT EXISTS mysql.secrets (v INT)');
    for (const statement of [
      'SELECT * FROM mysql.global_priv',
      'SELECT * FROM mysql.secrets',
      'SELECT * FROM mysql.db',
      'CREATE USER evil@localhost',
      'ALTER USER alice@localhost ACCOUNT LOCK',
      "SET PASSWORD FOR alice@localhost = PASSWORD('x')",
      'GRANT PROCESS ON *.* TO alice@localhost',
      'GRANT EXECUTE ON PROCEDURE bulkhead.cap TO alice@localhost',
      'CREATE OR REPLACE PROCEDURE bulkhead.cap() SELECT 1',
      'ALTER PROCEDURE bulkhead.cap SQL SECURITY INVOKER',
      'DROP PROCEDURE bulkhead.cap',
      'DROP VIEW bulkhead.accounts',
      'CREATE TABLE bulkhead.t (v INT)',
      'CREATE SCHEMA other',
      "UPDATE bulkhead.accounts SET connections = '1'",
      "SELECT LOAD_FILE('/etc/passwd') INTO OUTFILE '/tmp/x'",
      'SET SESSION sql_log_bin = 0',
      'SET GLOBAL userstat = 0',
      'SET GLOBAL general_log = 1',
      'SHUTDOWN',
      'FLUSH PRIVILEGES',
      "INSTALL SONAME 'x'",
    ]) {
      const done = await worker.query(statement);
      assert.ok(!done.ok, statement);
      assert.ok(
        [1044, 1045, 1142, 1227, 1370, 1410, 1290].includes(Number(done.error.code)),
        `${statement}: ${done.error.reason}`,
      );
    }
  });

  test('a tenant can call nothing, and borrow no rights', async () => {
    // An anonymous account lets everybody in under any name, without rights.
    await server.sql("DROP USER IF EXISTS ''@localhost");
    await server.sql('CREATE SCHEMA IF NOT EXISTS alice');
    await server.sql('GRANT ALL ON alice.* TO alice@localhost');
    const alice = await server.connect('alice');
    for (const statement of [
      capStatement('alice', 'localhost', 100),
      'SELECT * FROM bulkhead.accounts',
      'SHOW CREATE PROCEDURE bulkhead.cap',
      'USE bulkhead',
      'CREATE SCHEMA bulkhead',
      'CREATE DEFINER = `bulkhead-cap`@localhost PROCEDURE alice.p() SELECT * FROM mysql.global_priv',
      'CREATE DEFINER = `bulkhead-db`@localhost SQL SECURITY DEFINER VIEW alice.v AS SELECT * FROM bulkhead.accounts',
      'SET ROLE `bulkhead-cap`',
    ]) {
      const done = await alice.query(statement);
      assert.ok(!done.ok, statement);
    }
    // The server ends only her own connections by this, without an error.
    await alice.query('KILL USER `bulkhead-db`@localhost');
    valueOf(await worker.query('SELECT 1'));
    alice.close();
    for (const user of ['bulkhead-cap', 'bulkhead-cap ', 'BULKHEAD-DB'])
      await assert.rejects(server.connect(user), /Access denied|locked/, user);
  });

  test('without its definer the procedure does nothing, and enable repairs it', async () => {
    for (const statement of [...sessionStatements, 'DROP USER `bulkhead-cap`@localhost'])
      valueOf(await root.query(statement));
    const done = await cap('alice');
    assert.ok(!done.ok && done.error.code === 1449, JSON.stringify(done));
    const was = await priv('alice');
    const target = { paths, socket: server.socket, connection: root };
    valueOf(await enableServer(target));
    assert.deepEqual(await priv('alice'), was);
    await server.sql("ALTER USER `bulkhead-db`@localhost IDENTIFIED BY ''");
    valueOf(await cap('alice', 'localhost', 6));
    assert.equal((await priv('alice'))['max_user_connections'], 6);
  });

  test('a read-only server refuses to set numbers', async () => {
    await server.sql('SET GLOBAL read_only = 1');
    const done = await cap('alice', 'localhost', 8);
    await server.sql('SET GLOBAL read_only = 0');
    assert.ok(!done.ok && done.error.code === 1290, JSON.stringify(done));
  });
});
