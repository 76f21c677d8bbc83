/** Seeing, limiting and enabling with a real MySQL or Percona Server, where one is installed. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { attribute, measuredConstants } from '../../../src/database/core/use/attribution.ts';
import type { Ending } from '../../../src/database/core/backstops.ts';
import { readAccounts, setNumbers } from '../../../src/database/io/connection-numbers.ts';
import { disableServer, enableServer, planServer } from '../../../src/database/io/enable.ts';
import { endSessions } from '../../../src/database/io/end-sessions.ts';
import { kindOf } from '../../../src/database/io/kinds.ts';
import { lockDatabases } from '../../../src/database/io/record-file.ts';
import { mysqlMissing, MysqlServer } from '../../../testing/mysql.ts';
import { eventually } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

describe('a real MySQL server', { skip: mysqlMissing }, () => {
  const server = new MysqlServer(suiteDirectory('mysql', '/var/lib'));
  const state = suiteDirectory('mysql-state');

  before(async () => {
    await server.start();
    for (const each of ['alice_1', 'bob_1'])
      await server.sql(`CREATE USER ${each}@localhost IDENTIFIED BY 'sesame'`);
    valueOf(lockDatabases({ state })).release();
  });
  after(() => server.stop());

  test('is enabled once, seen, limited, and disabled without a rest', async () => {
    const root = await server.connect();
    const target = { paths: { state }, socket: server.socket, connection: root, password: 'open' };
    valueOf(await enableServer(target));
    const again = valueOf(await planServer(target)).steps;
    assert.deepEqual(
      again.map(({ text }) => text),
      ['sets how "bulkhead-db" logs in'],
    );
    const worker = await server.connect('bulkhead-db', 'open');
    const seen = valueOf(await kindOf(worker).open(worker));
    const alice = await server.connect('alice_1', 'sesame');
    const first = valueOf(await seen.look());
    valueOf(await alice.query("SELECT BENCHMARK(3000000, SHA2('x', 256))"));
    const last = valueOf(await seen.look());
    const used = attribute(first, last, measuredConstants);
    assert.ok((used.get('alice_1') ?? 0) > 100_000, JSON.stringify([...used]));
    const accounts = valueOf(await readAccounts(worker));
    assert.deepEqual(accounts, valueOf(await readAccounts(root, 'root')));
    const account = { account: 'alice_1', host: 'localhost', connections: 3 };
    assert.deepEqual(await setNumbers(worker, [account]), []);
    assert.equal((await setNumbers(worker, [{ ...account, account: 'root' }])).length, 1);
    const slow = alice.query('SELECT SLEEP(600)');
    const session = await eventually('it runs', async () =>
      valueOf(await seen.look()).sessions.find(
        (each) => each.account === 'alice_1' && each.isRunning,
      ),
    );
    const ending: Ending = {
      ...session,
      tenant: 1,
      what: 'statement',
      why: 'statement',
      found: 1,
      allowed: 0,
    };
    const { ended, problems } = await endSessions(worker, [ending]);
    assert.deepEqual([ended.length, problems], [1, []]);
    await slow;
    valueOf(await disableServer(target));
    assert.deepEqual(await server.sql("SELECT 1 FROM mysql.user WHERE User LIKE 'bulkhead%'"), []);
    for (const each of [root, worker, alice]) each.close();
  });
});

function valueOf<T>(result: Result<T, Problem>): T {
  if (!result.ok) throw new Error(formatProblem(result.error));
  return result.value;
}
