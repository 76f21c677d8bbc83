/** `db enable`, `disable` and `kill` as commands, in a real MariaDB server; nothing of the host is changed. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { DbDisableJson, DbEnableJson, DbKillJson } from '../../src/database/commands/json.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../testing/mariadb.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { mainFile } from '../../testing/program.ts';

describe('commands that change servers', { skip: mariadbMissing }, () => {
  let server: MariadbServer;
  // Others can change /tmp, so no server there is trusted.
  const directory = suiteDirectory('database-changes', '/var/lib');
  const policy = join(suiteDirectory('database-changes-policy'), 'policy.xml');
  const instance = `test-${process.pid}`;

  before(async () => {
    server = await startMariadb(directory);
    await server.sql('CREATE USER alice_1@localhost');
    writeFileSync(
      policy,
      '<bulkhead version="1"><databases><account name="alice_1" tenant="61001"/></databases><tenant uid="61001"/></bulkhead>',
    );
  });
  after(() => server.stop());

  const run = (...args: readonly string[]) => {
    const program = [mainFile, '--instance', instance, 'db', ...args];
    const all = [...program, '--socket', server.socket];
    return spawnSync(process.execPath, all, { encoding: 'utf8' });
  };

  test('enable prints each change, and makes none in a dry run', async () => {
    const { stdout, stderr } = run('enable', '--dry-run', '--json');
    const { servers, dryRun } = jsonOf<DbEnableJson>('db enable', stdout);
    assert.equal(dryRun, true, stderr);
    assert.equal(servers[0]?.problem, null);
    assert.equal(servers[0].steps.length, 14);
    assert.deepEqual(await server.sql("SHOW SCHEMAS LIKE 'bulkhead'"), []);
    assert.match(run('enable', '--dry-run').stdout, /^ {2}gives "bulkhead-db" PROCESS/m);
  });

  test('enable reports a socket without a server, and fails', () => {
    const all = ['enable', '--dry-run', '--json', '--socket', join(directory, 'none.sock')];
    const program = [mainFile, '--instance', instance, 'db', ...all];
    const { stdout, status } = spawnSync(process.execPath, program, { encoding: 'utf8' });
    assert.match(
      jsonOf<DbEnableJson>('db enable', stdout).servers[0]?.problem ?? '',
      /does not exist/,
    );
    assert.equal(status, 1);
  });

  test('disable has nothing to do without a record', () => {
    const { stdout, status } = run('disable', '--dry-run', '--json');
    assert.deepEqual(jsonOf<DbDisableJson>('db disable', stdout).servers, []);
    assert.equal(status, 0);
  });

  test('kill needs an agreement, shows what it would end, and ends it', async () => {
    const alice = await server.connect('alice_1');
    const running = alice.query('SELECT SLEEP(6000)');
    const kill = (...args: readonly string[]) => run('kill', '61001', '--policy', policy, ...args);
    assert.equal(kill('--json').status, 2);
    const shown = await eventually('the statement is seen', () => {
      const json = jsonOf<DbKillJson>('db kill', kill('--dry-run', '--json').stdout);
      return json.ended.length === 1 && json;
    });
    assert.equal(shown.ended[0]?.statement, 'SELECT SLEEP(6000)');
    const { ended, problems } = jsonOf<DbKillJson>('db kill', kill('--yes', '--json').stdout);
    assert.deepEqual([ended.length, problems], [1, []]);
    await running;
    assert.ok(alice.isOpen);
    assert.match(kill('--connections', '--yes').stdout, /1 connection of 61001 was ended/);
    await eventually('the connection is gone', () => !alice.isOpen);
  });

  test('kill names a tenant that the policy does not have', () => {
    const { stderr, status } = run('kill', 'mallory', '--policy', policy, '--yes');
    assert.match(stderr, /has none of that name/);
    assert.equal(status, 1);
  });
});
