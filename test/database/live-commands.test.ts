/** `bulkhead db status`, `top` and `accounts` with a real server. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { jsonOf } from '../../testing/json-output.ts';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../testing/mariadb.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { mainFile } from '../../testing/program.ts';

describe('commands that show database servers', { skip: mariadbMissing }, () => {
  // Others can change /tmp, so no server there is trusted.
  const directory = suiteDirectory('database-live', '/var/lib');
  const policy = join(directory, 'policy.xml');
  let server: MariadbServer;

  before(async () => {
    chmodSync(directory, 0o755);
    const data = join(directory, 'server');
    mkdirSync(data);
    server = await startMariadb(data);
    writeFileSync(
      policy,
      '<bulkhead version="1"><databases><account name="wp" tenant="nobody"/></databases><tenant user="nobody"/></bulkhead>',
    );
    await server.sql("CREATE USER wp@localhost IDENTIFIED BY '', other@'%' IDENTIFIED BY ''");
    await server.sql("CREATE USER `evil\u001b[31m`@localhost IDENTIFIED BY ''");
  });
  after(() => server.stop());

  function run(...args: readonly string[]) {
    const all = [mainFile, 'db', ...args, '--socket', server.socket, '-p', policy];
    const { stdout, stderr, status } = spawnSync(process.execPath, all, { encoding: 'utf8' });
    return { stdout, stderr, status };
  }

  test('status says what is not seen, and what to do', () => {
    const { stdout, status, stderr } = run('status');
    assert.equal(status, 0, stderr);
    assert.match(stdout, /MariaDB.*, pid \d+/);
    assert.match(stdout, /not enabled: .*run "bulkhead db enable"/);
    assert.match(stdout, /userstat is OFF/);
    const json = jsonOf<{ servers: unknown[] }>('db status', run('status', '--json').stdout);
    assert.equal(json.servers.length, 1);
  });

  test('top shows connections without counters, and CPU time with them', async () => {
    assert.match(run('top').stdout, /does not count what accounts use: run "bulkhead db enable"/);
    await server.sql('SET GLOBAL userstat=1');
    const busy = await server.connect('wp');
    const done = busy.query('SELECT BENCHMARK(200000000, MD5(RAND()))');
    const json = jsonOf<{
      servers: { rows: { account: string | null; connections: number; running: number }[] }[];
    }>('db top', run('top', '--json').stdout);
    const row = json.servers[0]?.rows.find(({ running }) => running > 0);
    assert.ok(row !== undefined, JSON.stringify(json));
    assert.match(run('top').stdout, /\(server itself\)/);
    await server.sql('KILL USER wp');
    await done;
    busy.close();
  });

  test('accounts are shown with what decides whose they are, and are printable', () => {
    const { stdout, status, stderr } = run('accounts');
    assert.equal(status, 0, stderr);
    assert.match(stdout, /root +- .*SUPER|root +- .*others/s);
    assert.ok(!stdout.includes('\u001b[31m'), 'names are escaped');
    jsonOf('db accounts', run('accounts', '--json').stdout);
  });

  test('a server that is away is said to be', async () => {
    await server.stop();
    const { stdout, status } = run('status');
    assert.notEqual(status, 0);
    assert.match(stdout, /no server listens there; check whether the server runs/);
  });
});
