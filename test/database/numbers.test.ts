/** Numbers of connections: noted before they are set, set by the procedure, and set back. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { connectionNumbers } from '../../src/database/core/connection-numbers.ts';
import { accountsStatement } from '../../src/database/core/rights/enable-sql.ts';
import { connectDatabase } from '../../src/database/io/client/connect.ts';
import { noteNumbers, readAccounts, setNumbers } from '../../src/database/io/connection-numbers.ts';
import { restoreNumbers } from '../../src/database/io/enable.ts';
import { readNumbers } from '../../src/database/io/record-file.ts';
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
