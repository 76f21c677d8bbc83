/** `bulkhead db kill` in a real MariaDB server. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import type { DatabaseConnection } from '../../src/database/io/client/connect.ts';
import { endSessions } from '../../src/database/io/end-sessions.ts';
import { findEndings } from '../../src/database/io/tenant-sessions.ts';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../testing/mariadb.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

describe('db kill', { skip: mariadbMissing }, () => {
  let server: MariadbServer;
  let root: DatabaseConnection;
  const directory = suiteDirectory('database-kill');
  const isOwn = (account: string) => account.startsWith('alice_');

  before(async () => {
    server = await startMariadb(directory);
    root = await server.connect();
    for (const each of ['alice_1', 'alice_2', 'alice_admin', 'bob_1'])
      await server.sql(`CREATE USER ${each}@localhost`);
    await server.sql('GRANT RELOAD ON *.* TO alice_admin@localhost');
  });
  after(async () => {
    root.close();
    await server.stop();
  });

  const find = async (what: 'statement' | 'connection') => {
    const endings = await findEndings(root, { tenant: 1001, isOwn, what });
    if (!endings.ok) throw new Error(formatProblem(endings.error));
    return endings.value;
  };

  test('statements of the tenant end, with their connections when asked, and no others', async () => {
    const users = ['alice_1', 'alice_2', 'alice_admin', 'bob_1'];
    const connections = await Promise.all(users.map((each) => server.connect(each)));
    const [first, idle, admin, bob] = connections as [
      DatabaseConnection,
      DatabaseConnection,
      DatabaseConnection,
      DatabaseConnection,
    ];
    const sleeping = [first, admin, bob].map((each) => each.query('SELECT SLEEP(600)'));
    const endings = await eventually('the statement runs', async () => {
      const found = await find('statement');
      return found.length === 1 && found;
    });
    assert.deepEqual(
      endings.map(({ account, statement }) => [account, statement]),
      [['alice_1', 'SELECT SLEEP(600)']],
    );
    const done = await endSessions(root, endings);
    assert.equal(done.ended.length, 1);
    await sleeping[0];
    assert.ok((await first.query('SELECT 1')).ok);
    const all = await find('connection');
    assert.deepEqual(all.map(({ account }) => account).toSorted(), ['alice_1', 'alice_2']);
    const both = await endSessions(root, all);
    assert.equal(both.ended.length, 2, JSON.stringify(both));
    await eventually(
      'nothing of hers is left',
      async () => (await find('connection')).length === 0,
    );
    assert.equal((await idle.query('SELECT 1')).ok, false);
    assert.ok(bob.isOpen && admin.isOpen);
    for (const each of connections) each.close();
  });
});
