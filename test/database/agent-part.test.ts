/** The agent's part with a real server, and tenants' real connections. Nobody is paused: the policy watches. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Log } from '../../src/agent/log.ts';
import type { ReportedFault } from '../../src/agent/part.ts';
import { compileThaw } from '../../scripts/entry.ts';
import { connectDatabase } from '../../src/database/io/client/connect.ts';
import { readAccounts } from '../../src/database/io/connection-numbers.ts';
import { databasePart } from '../../src/database/io/agent-part.ts';
import { databaseFigures } from '../../src/agent/sampling/part-figures.ts';
import { PartReadings } from '../../src/agent/sampling/part-readings.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { noCounters } from '../../src/limits/limits.ts';
import type { Reading } from '../../src/usage/measure.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../testing/mariadb.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const aliceUid = 64_361;
const workerUid = 620_791;

describe("the agent's part for database servers", { skip: mariadbMissing }, () => {
  // Others can change /tmp, so no server there is trusted.
  const directory = suiteDirectory('database-part', '/var/lib');
  const etc = join(directory, 'etc');
  const runtime = join(directory, 'run');
  const state = join(directory, 'state');
  const paths = { ...pathsOf('bulkhead-database-part'), etc, runtime, state };
  const warnings: string[] = [];
  const log = { warn: (text: string) => warnings.push(text) } as unknown as Log;
  let server: MariadbServer;

  before(async () => {
    chmodSync(directory, 0o755);
    const data = join(directory, 'server');
    for (const each of [etc, runtime, state, data]) mkdirSync(each);
    server = await startMariadb(data, ['--userstat=1']);
    writeFileSync(
      join(etc, 'passwd'),
      `mysql:x:${server.uid}:${server.uid}::/:/bin/false
bulkhead-db:x:${workerUid}:${workerUid}::/:/bin/false
alice:x:${aliceUid}:${aliceUid}::/home/alice:/bin/false\n`,
    );
    writeFileSync(join(etc, 'login.defs'), 'UID_MIN 700000\n');
    writeFileSync(join(etc, 'db.cnf'), '[client]\nuser=watcher\npassword=sesame\n', {
      mode: 0o600,
    });
    await server.sql("CREATE USER watcher@localhost IDENTIFIED BY 'sesame'");
    await server.sql('GRANT PROCESS, CONNECTION ADMIN ON *.* TO watcher@localhost');
    await server.sql("CREATE USER alice_1@localhost IDENTIFIED BY ''");
    // The view of accounts is what "db enable" makes.
    await server.sql('CREATE DATABASE bulkhead');
    await server.sql(`CREATE VIEW bulkhead.accounts AS SELECT User AS account, Host AS host, 0 AS connections,
      0 AS is_role, IF(User = 'alice_1', '0', '8') AS access, '0' AS roles, 0 AS creates_events, 0 AS grants
      FROM mysql.global_priv`);
    await server.sql('GRANT SELECT ON bulkhead.* TO watcher@localhost');
  });
  after(() => server.stop());

  function policyWith(limits: string): Policy {
    const text = `<bulkhead version="1">
      <databases><server kind="mariadb" socket="${server.socket}" credentials="${etc}/db.cnf"/></databases>
      <tenant uid="${aliceUid}">${limits}</tenant></bulkhead>`;
    const { document, diagnostics } = parsePolicy('policy.xml', text);
    assert.ok(document !== undefined, JSON.stringify(diagnostics));
    const accounts = [{ user: 'alice', uid: aliceUid, gid: aliceUid, home: '/home/alice' }];
    return resolvePolicy(document, { accounts, uidMin: 1000 });
  }

  test('sees, reports and ends what is above the limits', async () => {
    const part = databasePart(paths, log);
    const faults: ReportedFault[] = [];
    const faultOf = (limit: string) =>
      eventually(
        `a fault of ${limit}`,
        () => {
          faults.push(...(part.takeFaults?.() ?? []));
          return faults.find((each) => each.limit === limit);
        },
        () => warnings.join('\n'),
      );
    part.adopt?.(policyWith('<database cpu="1%"/>'), new Map());
    const alice = await server.connect('alice_1');
    const done = alice.query("SELECT 'secret', BENCHMARK(1000000000, MD5(RAND()))");
    try {
      const cpu = await faultOf('database.cpu');
      // The statement has used more than was saved by now, however slow the machine is.
      part.adopt?.(policyWith('<database statement="1s"/>'), new Map());
      await faultOf('database.statement');
      await done;
      assert.equal(cpu.member, `u${aliceUid}`);
      assert.equal(cpu.severity, 'observed');
      const items = JSON.stringify(faults.map(({ evidence }) => evidence));
      assert.match(items, /BENCHMARK/);
      assert.ok(!items.includes('secret'), items);
    } finally {
      alice.close();
      await part[Symbol.asyncDispose]?.();
    }
  });

  test('lowers the CPU limit while the server works for a tenant to whose limit that counts', async () => {
    compileThaw();
    const part = databasePart(paths, log);
    part.adopt?.(policyWith('<cpu limit="100%"/><database counts="yes"/>'), new Map());
    const now = () => part.cpuLimitNow?.(`u${aliceUid}`);
    const alice = await server.connect('alice_1');
    const done = alice.query('SELECT BENCHMARK(1000000000, MD5(RAND()))');
    try {
      const isLowered = () => eventually('it is lowered', now, () => warnings.join('\n'));
      const lowered = await isLowered();
      assert.ok(lowered >= 0.1 && lowered < 1, `${lowered}`);
      process.kill(server.pid, 'SIGSTOP');
      try {
        await eventually('a server that hangs uses nothing', () => now() === undefined);
      } finally {
        process.kill(server.pid, 'SIGCONT');
      }
      await isLowered();
      await server.sql('KILL QUERY USER alice_1');
      await done;
      await eventually('it is back', () => now() === undefined);
    } finally {
      alice.close();
      await part[Symbol.asyncDispose]?.();
    }
  });

  test('reports no wrong password as a refused connection', async () => {
    const part = databasePart(paths, log);
    part.adopt?.(policyWith('<database connections="20"/>'), new Map());
    const isSeen = (connections: number) => () =>
      part.databaseUse?.(aliceUid)?.connections === connections;
    try {
      const first = await server.connect('alice_1');
      await eventually('she is seen', isSeen(1));
      for (let attempt = 0; attempt < 5; attempt += 1)
        await connectDatabase(server.socket, { user: 'alice_1', password: 'wrong' });
      const second = await server.connect('alice_1');
      await eventually('the server was asked again', isSeen(2));
      assert.deepEqual(part.takeFaults?.(), []);
      first.close();
      second.close();
    } finally {
      await part[Symbol.asyncDispose]?.();
    }
  });

  test('ends nothing of an account that is new and has global privileges', async () => {
    const part = databasePart(paths, log);
    part.adopt?.(policyWith('<database statement="1s"/>'), new Map());
    const isSeen = (connections: number) => () =>
      part.databaseUse?.(aliceUid)?.connections === connections;
    const first = await server.connect('alice_1');
    try {
      await eventually('the accounts are known', isSeen(1));
      await server.sql("CREATE USER alice_2@localhost IDENTIFIED BY ''");
      const second = await server.connect('alice_2');
      const [spared, ended] = await Promise.all([
        second.query('SELECT SLEEP(5) AS interrupted'),
        first.query('SELECT SLEEP(600) AS interrupted'),
      ]);
      second.close();
      assert.equal(spared.ok && spared.value[0]?.get('interrupted'), '0', JSON.stringify(spared));
      assert.ok(!ended.ok || ended.value[0]?.get('interrupted') === '1');
    } finally {
      first.close();
      await part[Symbol.asyncDispose]?.();
      await server.sql('DROP USER alice_2@localhost');
    }
  });

  test('of very many accounts the first are read, and those that are asked for', async () => {
    const [view] = await server.sql(
      "SELECT view_definition AS statement FROM information_schema.views WHERE table_schema = 'bulkhead'",
    );
    const zeros = ['connections', 'is_role', 'access', 'roles', 'creates_events', 'grants'];
    await server.sql(
      `CREATE OR REPLACE VIEW bulkhead.accounts AS SELECT CONCAT('a', seq) AS account, 'localhost' AS host, ${zeros.map((each) => `0 AS ${each}`).join(', ')} FROM bulkhead.seq_1_to_12000`,
    );
    const opened = await connectDatabase(server.socket, { user: 'watcher', password: 'sesame' });
    assert.ok(opened.ok);
    const all = await readAccounts(opened.value);
    assert.ok(all.ok && opened.value.isOpen, JSON.stringify(all).slice(0, 500));
    assert.equal(all.value.length, 10_000);
    const some = await readAccounts(opened.value, 'worker', ['a11999', 'a7', "a'\\", 'A8']);
    assert.ok(some.ok);
    assert.deepEqual(
      some.value.map(({ account }) => account),
      ['a11999', 'a7'],
    );
    assert.deepEqual(await readAccounts(opened.value, 'worker', []), { ok: true, value: [] });
    opened.value.close();
    await server.sql(`CREATE OR REPLACE VIEW bulkhead.accounts AS ${view?.get('statement')}`);
  });

  test('counts what a statement takes, and knows nothing while the server hangs', async () => {
    const part = databasePart(paths, log);
    const use = () => part.databaseUse?.(aliceUid);
    assert.equal(use(), undefined);
    part.adopt?.(policyWith('<database cpu="1000%"/>'), new Map());
    const readings = new PartReadings(databaseFigures);
    const kernel: Reading = { member: `u${aliceUid}`, before: noCounters, now: noCounters };
    const figures = () => {
      const now = performance.now() / 1000;
      const entries = new Map([[kernel.member, { resellerUid: undefined }]]);
      return readings.with([kernel], entries, (uid) => part.databaseUse?.(uid), now)[0]?.figures;
    };
    const alice = await server.connect('alice_1');
    const done = alice.query('SELECT BENCHMARK(1000000000, MD5(RAND()))');
    try {
      await eventually('her statement is in the figures', () => {
        const found = figures();
        return (found?.databaseCpu ?? 0) > 0.01 && found?.databaseConnections === 1;
      });
      process.kill(server.pid, 'SIGSTOP');
      await eventually('nothing is known', () => use() === undefined);
      assert.equal(figures(), undefined);
      process.kill(server.pid, 'SIGCONT');
      await eventually('it is known again', () => use()?.connections === 1);
      // What was used meanwhile is in no figure.
      assert.deepEqual(Object.keys(figures() ?? {}), ['databaseConnections']);
    } finally {
      process.kill(server.pid, 'SIGCONT');
      await server.sql('KILL USER alice_1');
      await done;
      alice.close();
      await part[Symbol.asyncDispose]?.();
    }
    assert.equal(use(), undefined);
  });

  test('holds nobody for clients who can use any name', async () => {
    await server.sql("CREATE USER ''@localhost");
    const part = databasePart(paths, log);
    part.adopt?.(policyWith('<database cpu="1%" statement="1s"/>'), new Map());
    const evil = await server.connect('alice_evil');
    try {
      const done = evil.query('SELECT SLEEP(6) AS interrupted');
      await eventually('it says so', () =>
        warnings.some((each) => each.includes('lets everybody in under any name')),
      );
      const rows = await done;
      assert.equal(rows.ok && rows.value[0]?.get('interrupted'), '0');
      // Who has used what is unknown there.
      assert.equal(part.databaseUse?.(aliceUid), undefined);
      assert.deepEqual(part.takeFaults?.(), []);
    } finally {
      evil.close();
      await part[Symbol.asyncDispose]?.();
      await server.sql("DROP USER ''@localhost");
    }
  });

  test('asks a server no more in which it has no rights any more', async () => {
    const part = databasePart(paths, log);
    const record = { version: 1, servers: [{ socket: server.socket, userstat: true }] };
    const file = join(state, 'database', 'servers.json');
    mkdirSync(join(state, 'database'), { recursive: true, mode: 0o700 });
    writeFileSync(file, JSON.stringify(record), { mode: 0o600 });
    const text = `<bulkhead version="1"><tenant uid="${aliceUid}"><database connections="5"/></tenant></bulkhead>`;
    const { document } = parsePolicy('policy.xml', text);
    assert.ok(document !== undefined);
    const policy = resolvePolicy(document, { accounts: [], uidMin: 1000 });
    const workers = async () =>
      (
        await server.sql(
          "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE user = 'bulkhead-db'",
        )
      )[0]?.get('n');
    try {
      await server.sql(
        'CREATE USER `bulkhead-db`@localhost IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD("")',
      );
      await server.sql('GRANT PROCESS ON *.* TO `bulkhead-db`@localhost');
      part.adopt?.(policy, new Map());
      await eventually('it is asked', async () => (await workers()) === '1');
      rmSync(file);
      // Servers are searched for once a minute, and with each policy.
      part.adopt?.(policy, new Map());
      await eventually('it is asked no more', async () => (await workers()) === '0');
      assert.equal(part.databaseUse?.(aliceUid), undefined);
    } finally {
      rmSync(file, { force: true });
      await part[Symbol.asyncDispose]?.();
    }
  });

  test('asks nothing without a limit', async () => {
    const count = async () =>
      Number(
        (
          await server.sql(
            "SELECT total_connections AS n FROM information_schema.user_statistics WHERE user = 'watcher'",
          )
        )[0]?.get('n'),
      );
    const before = await count();
    const part = databasePart(paths, log);
    part.adopt?.(policyWith(''), new Map());
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await part[Symbol.asyncDispose]?.();
    assert.equal(await count(), before);
  });
});
