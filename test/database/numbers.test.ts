/** Numbers of connections: noted before they are set, set by the procedure, and set back. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { connectionNumbers } from '../../src/database/core/connection-numbers.ts';
import { accountsStatement, capStatement } from '../../src/database/core/rights/enable-sql.ts';
import { connectDatabase } from '../../src/database/io/client/connect.ts';
import { noteNumbers, readAccounts, setNumbers } from '../../src/database/io/connection-numbers.ts';
import { restoreNumbers } from '../../src/database/io/enable.ts';
import { readNumbers, writeNumbers } from '../../src/database/io/record-file.ts';
import { mariadbMissing } from '../../testing/mariadb.ts';
import { suiteDirectory, temporaryDirectory } from '../../testing/temporary-directory.ts';
import { startEnabled, valueOf, type EnabledServer } from './enabled-server.ts';

describe('numbers of connections', { skip: mariadbMissing }, () => {
  let enabled: EnabledServer;
  let { server, root, worker } = {} as EnabledServer;
  let paths: { readonly state: string };
  const directory = suiteDirectory('database-numbers');
  const states = suiteDirectory('database-numbers-state');

  before(async () => {
    paths = { state: temporaryDirectory('state', states).path };
    enabled = await startEnabled(directory, paths.state);
    ({ server, root, worker } = enabled);
  });
  after(() => enabled[Symbol.asyncDispose]());
  beforeEach(async () => {
    for (const each of ['alice_1', 'alice_2', 'bob_1'])
      await server.sql(`CREATE OR REPLACE USER ${each}@localhost WITH MAX_USER_CONNECTIONS 50`);
  });

  const owners = new Map([
    ['alice_1', 1001],
    ['alice_2', 1001],
    ['alice_3', 1001],
    ['bob_1', 1002],
  ]);

  /** Reads, notes and sets, like the agent. */
  const keep = async (limits: ReadonlyMap<number, number>, limit?: number) => {
    const accounts = valueOf(await readAccounts(worker));
    const { wanted } = connectionNumbers({ accounts, owners, limits });
    const changes = valueOf(noteNumbers({ paths, socket: server.socket }, accounts, wanted));
    assert.deepEqual(await setNumbers(worker, changes.slice(0, limit)), []);
    return changes.length;
  };

  const numbers = async () =>
    Object.fromEntries(
      valueOf(await readAccounts(worker))
        .filter(({ account }) => owners.has(account))
        .map(({ account, connections }) => [account, connections]),
    );

  const setBack = async () =>
    valueOf(await restoreNumbers({ paths, socket: server.socket, connection: root }));

  test('setting one reads few rows of a server with many accounts', async () => {
    await server.sql(`INSERT INTO mysql.global_priv (Host, User, Priv)
      WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 900)
      SELECT 'localhost', CONCAT('many_', n), '{"access":0}' FROM numbers`);
    await server.sql('FLUSH PRIVILEGES');
    try {
      const read = async () =>
        valueOf(await worker.query("SHOW SESSION STATUS LIKE 'Handler_read%next'"))
          .map((each) => Number(each.get('value')))
          .reduce((sum, each) => sum + each, 0);
      const before = await read();
      valueOf(await worker.query(capStatement('alice_1', 'localhost', 9)));
      const rows = (await read()) - before;
      assert.ok(rows < 100, `${rows} rows were read`);
      assert.equal((await numbers())['alice_1'], 9);
      for (const [account, host] of [
        ['ALICE_1', 'localhost'],
        ['alice_1 ', 'localhost'],
        ['alice_1', 'LOCALHOST'],
        ['alice_\u{1f600}', 'localhost'],
      ] as const) {
        const refused = await worker.query(capStatement(account, host, 9));
        assert.match(refused.ok ? 'it was set' : refused.error.reason, /no such account/);
      }
    } finally {
      await server.sql("DELETE FROM mysql.global_priv WHERE User LIKE 'many\\_%'");
      await server.sql('FLUSH PRIVILEGES');
    }
  });

  test('none is begun after the time, and the rest comes the next time', async () => {
    const wanted = ['alice_1', 'alice_2', 'bob_1'].map((account) => ({
      account,
      host: 'localhost',
      connections: 8,
    }));
    assert.deepEqual(await setNumbers(worker, wanted, -1), []);
    assert.deepEqual(await numbers(), { alice_1: 8, alice_2: 50, bob_1: 50 });
    assert.deepEqual(await setNumbers(worker, wanted.slice(1), 60_000), []);
    assert.deepEqual(await numbers(), { alice_1: 8, alice_2: 8, bob_1: 8 });
  });

  test('a record that could not be read again is not written', () => {
    const row = { socket: '/s', host: 'localhost', before: 1, set: 2 };
    const rows = (count: number) =>
      Array.from({ length: count }, (_, each) => ({ ...row, account: `a${each}` }));
    valueOf(writeNumbers(paths, rows(100_000)));
    assert.equal(valueOf(readNumbers(paths)).length, 100_000);
    const more = writeNumbers(paths, rows(100_001));
    assert.match(more.ok ? '' : more.error.reason, /100001, more than the 100000/);
    assert.equal(valueOf(readNumbers(paths)).length, 100_000);
    valueOf(writeNumbers(paths, []));
  });

  test('they are divided, follow accounts that come and go, and are set back', async () => {
    const limits = new Map([[1001, 7]]);
    assert.equal(await keep(limits), 2);
    assert.deepEqual(await numbers(), { alice_1: 4, alice_2: 3, bob_1: 50 });
    assert.equal(await keep(limits), 0);
    await server.sql('CREATE USER alice_3@localhost');
    assert.equal(await keep(limits), 3);
    assert.deepEqual(await numbers(), { alice_1: 3, alice_2: 2, alice_3: 2, bob_1: 50 });
    await server.sql('DROP USER alice_3@localhost');
    await keep(limits);
    assert.deepEqual(await numbers(), { alice_1: 4, alice_2: 3, bob_1: 50 });
    await keep(new Map());
    assert.deepEqual(await numbers(), { alice_1: 50, alice_2: 50, bob_1: 50 });
    assert.equal(await keep(new Map()), 0);
    assert.deepEqual(valueOf(readNumbers(paths)), []);
  });

  test('an account that is renamed keeps its number, and nothing is left of it in the record', async () => {
    await keep(new Map([[1001, 7]]));
    await server.sql('RENAME USER alice_2@localhost TO bob_2@localhost');
    try {
      await keep(new Map());
      const renamed = valueOf(await readAccounts(worker)).find(
        ({ account }) => account === 'bob_2',
      );
      assert.equal(renamed?.connections, 3);
      assert.deepEqual(await numbers(), { alice_1: 50, bob_1: 50 });
      await keep(new Map());
      assert.deepEqual(valueOf(readNumbers(paths)), []);
    } finally {
      await server.sql('DROP USER bob_2@localhost');
    }
  });

  test('very many accounts are read by the indexes of the tables', async () => {
    for (const each of ['alice_1', 'alice_2', 'bob_1'])
      await server.sql(`GRANT SELECT ON \`${each}\`.* TO ${each}@localhost`);
    const steps = await server.sql(`EXPLAIN ${accountsStatement}`);
    const grants = steps.filter((each) => each.get('table') === 'd');
    assert.equal(grants.length, 2);
    for (const each of grants) assert.notEqual(each.get('key'), null, JSON.stringify([...each]));
  });

  test('an end between the note and the server loses no number', async () => {
    await keep(new Map([[1001, 8]]));
    await keep(new Map([[1001, 2]]), 1);
    assert.deepEqual(await numbers(), { alice_1: 1, alice_2: 4, bob_1: 50 });
    assert.deepEqual(await setBack(), []);
    assert.deepEqual(await numbers(), { alice_1: 50, alice_2: 50, bob_1: 50 });
  });

  test('a number that somebody else has set stays when the limit goes', async () => {
    await keep(new Map([[1001, 8]]));
    await server.sql('ALTER USER alice_1@localhost WITH MAX_USER_CONNECTIONS 99');
    await keep(new Map());
    assert.deepEqual(await numbers(), { alice_1: 99, alice_2: 50, bob_1: 50 });
    await keep(new Map());
    assert.deepEqual(valueOf(readNumbers(paths)), []);
  });

  test('the server refuses the connection above the number', async () => {
    await keep(new Map([[1002, 2]]));
    const open = [await server.connect('bob_1'), await server.connect('bob_1')];
    const third = await connectDatabase(server.socket, { user: 'bob_1' });
    assert.ok(!third.ok && third.error.code === 1226, JSON.stringify(third));
    for (const each of open) each.close();
    await keep(new Map());
  });

  test('nothing is set in a server that is not enabled', () => {
    const other = { paths, socket: '/run/other.sock' };
    const account = {
      account: 'alice_1',
      host: 'localhost',
      connections: 0,
      isRole: false,
      privileges: [],
      createsEvents: false,
      grants: false,
    };
    const wanted = [{ account: 'alice_1', host: 'localhost', connections: 3 }];
    assert.deepEqual(valueOf(noteNumbers(other, [account], wanted)), []);
  });
});
