/** `bulkhead db` with a real PostgreSQL server; nothing of the host is changed. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { DbEnableJson, DbKillJson } from '../../../src/database/commands/json.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import { eventually } from '../../../testing/patience.ts';
import {
  postgresqlMissing,
  startPostgresql,
  type PostgresqlServer,
} from '../../../testing/postgresql.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { mainFile } from '../../../testing/program.ts';

describe('commands for PostgreSQL', { skip: postgresqlMissing }, () => {
  let server: PostgresqlServer;
  // Others can change /tmp, so no server there is trusted.
  const directory = suiteDirectory('postgresql-commands', '/var/lib');
  const policy = join(directory, 'policy.xml');

  before(async () => {
    chmodSync(directory, 0o755);
    const place = join(directory, 'server');
    mkdirSync(place);
    server = await startPostgresql(place);
    await server.sql('CREATE ROLE wp LOGIN PASSWORD \'wp\'; CREATE ROLE "evil\u001b[31m" LOGIN');
    writeFileSync(
      policy,
      '<bulkhead version="1"><databases><account name="wp" tenant="61001"/></databases><tenant uid="61001"/></bulkhead>',
    );
  });
  after(() => server.stop());

  const run = (...args: readonly string[]) => {
    const program = [mainFile, '--instance', `test-${process.pid}`, 'db'];
    const all = [...program, ...args, '--socket', server.socket];
    return spawnSync(process.execPath, all, { encoding: 'utf8' });
  };

  test('status says what is not seen', () => {
    const { stdout, stderr, status } = run('status', '-p', policy);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /PostgreSQL \d+.*, pid \d+\n {2}not enabled/);
    assert.match(stdout, /not seen: the CPU time of connections that end within a second/);
  });

  test('accounts shows roles, and those for which no limit holds', () => {
    const { stdout } = run('accounts', '-p', policy);
    assert.match(stdout, /^wp +61001 /m);
    assert.match(stdout, /^postgres +- .*SUPERUSER/m);
    assert.ok(!stdout.includes('\u001b[31m'));
  });

  test('top shows a statement that runs, and kill ends it', async () => {
    const busy = await server.connect('wp', 'wp');
    const done = busy.query('SELECT sum(i) FROM generate_series(1, 10000000000) i');
    await eventually('it runs', async () => {
      const rows = await server.sql(
        "SELECT 1 FROM pg_stat_activity WHERE usename = 'wp' AND state = 'active'",
      );
      return rows.length === 1;
    });
    const { servers } = jsonOf<{
      servers: { rows: { tenant: string | null; running: number; cpuFraction: number | null }[] }[];
    }>('db top', run('top', '-p', policy, '--json').stdout);
    const row = servers[0]?.rows.find(({ tenant }) => tenant === '61001');
    assert.ok(row?.running === 1 && (row.cpuFraction ?? 0) > 0, JSON.stringify(servers));
    const killed = jsonOf<DbKillJson>(
      'db kill',
      run('kill', '61001', '-p', policy, '--yes', '--json').stdout,
    );
    assert.deepEqual(killed.problems, []);
    assert.equal(killed.ended.length, 1);
    assert.equal((await done).ok, false);
    busy.close();
  });

  test('enable prints each change, and makes none in a dry run', async () => {
    const { stdout, stderr } = run('enable', '--dry-run', '--json');
    const { servers } = jsonOf<DbEnableJson>('db enable', stdout);
    assert.equal(servers[0]?.problem, null, stderr);
    assert.equal(servers[0].steps.length, 6);
    assert.deepEqual(await server.sql("SELECT 1 FROM pg_roles WHERE rolname = 'bulkhead-db'"), []);
  });
});
