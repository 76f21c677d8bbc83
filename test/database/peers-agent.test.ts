/**
 * The agent's part with a real server and a tenant that uses another one's account. Where the kernel takes the programs,
 * the tenant is charged that connected; elsewhere the owner of the account.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Log } from '../../src/agent/log.ts';
import { databasePart } from '../../src/database/io/agent-part.ts';
import { seenBy } from '../../src/database/io/peers/record.ts';
import { agentLock, pathsOf } from '../../src/host/paths.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { lockFile } from '../../src/sys/files/flock.ts';
import { setThreadUids } from '../../src/sys/syscalls.ts';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../testing/mariadb.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const [alice, bob, worker] = [64_381, 64_382, 620_791];
const same = 0xffff_ffff;
const isRequired = process.env['BULKHEAD_TRACING'] === 'required';

describe("the agent's part and the sockets of tenants", { skip: mariadbMissing }, () => {
  // Others can change /tmp, so no server there is trusted.
  const directory = suiteDirectory('database-peers-agent', '/var/lib');
  const [etc, runtime, state] = ['etc', 'run', 'state'].map((each) => join(directory, each)) as [
    string,
    string,
    string,
  ];
  const paths = { ...pathsOf('bulkhead-database-peers'), etc, runtime, state };
  const warnings: string[] = [];
  const log = { warn: (text: string) => warnings.push(text) } as unknown as Log;
  let server: MariadbServer;

  before(async () => {
    chmodSync(directory, 0o755);
    const data = join(directory, 'server');
    for (const each of [etc, runtime, state, data]) mkdirSync(each);
    server = await startMariadb(data, ['--userstat=1']);
    const account = (name: string, uid: number) => `${name}:x:${uid}:${uid}::/:/bin/false\n`;
    writeFileSync(
      join(etc, 'passwd'),
      `${account('mysql', server.uid)}${account('bulkhead-db', worker)}${account('alice', alice)}${account('bob', bob)}`,
    );
    writeFileSync(join(etc, 'login.defs'), 'UID_MIN 700000\n');
    const login = '[client]\nuser=watcher\npassword=sesame\n';
    writeFileSync(join(etc, 'db.cnf'), login, { mode: 0o600 });
    await server.sql("CREATE USER watcher@localhost IDENTIFIED BY 'sesame'");
    await server.sql('GRANT PROCESS, CONNECTION ADMIN ON *.* TO watcher@localhost');
    await server.sql("CREATE USER bob_1@localhost IDENTIFIED BY ''");
  });
  after(() => server.stop());

  function policy(): Policy {
    const limit = '<database cpu="90%"/>';
    const text = `<bulkhead version="1">
      <databases><server kind="mariadb" socket="${server.socket}" credentials="${etc}/db.cnf"/></databases>
      <tenant uid="${alice}">${limit}</tenant><tenant uid="${bob}">${limit}</tenant></bulkhead>`;
    const { document, diagnostics } = parsePolicy('policy.xml', text);
    assert.ok(document !== undefined, JSON.stringify(diagnostics));
    const accounts = [
      { user: 'alice', uid: alice, gid: alice, home: '/home/alice' },
      { user: 'bob', uid: bob, gid: bob, home: '/home/bob' },
    ];
    return resolvePolicy(document, { accounts, uidMin: 1000 });
  }

  test('who connected pays where the kernel shows it, and else the owner of the account', async () => {
    const lock = lockFile(agentLock(paths), { waitMs: 0 });
    assert.ok(lock.ok);
    using _running = lock.value;
    assert.equal(seenBy(paths, server.pid).by, 'accounts');
    const part = databasePart(paths, log);
    const looksOf = async () =>
      Number(
        (
          await server.sql(
            "SELECT select_commands AS n FROM information_schema.user_statistics WHERE user = 'watcher'",
          )
        )[0]?.get('n') ?? 0,
      );
    const used = (uid: number) => part.databaseUse?.(uid)?.cpuSeconds ?? 0;
    try {
      part.adopt?.(policy(), new Map());
      const seen = await eventually('the agent knows the server, or why not', () => {
        const now = seenBy(paths, server.pid);
        const isSettled = now.by === 'socket' || !now.reason.includes('only known processes');
        return isSettled ? now : undefined;
      });
      // It reads the sums twice before it knows a difference.
      const looks = await looksOf();
      await eventually('it has looked again', async () => (await looksOf()) >= looks + 3);
      assert.ok(seen.by === 'socket' || !isRequired, JSON.stringify(seen));
      assert.equal(setThreadUids(alice, same, same), undefined);
      const opening = server.connect('bob_1');
      assert.equal(setThreadUids(0, same, same), undefined);
      const connection = await opening;
      const done = connection.query('SELECT BENCHMARK(1000000000, MD5(RAND()))');
      const [payer, other] = seen.by === 'socket' ? [alice, bob] : [bob, alice];
      await eventually(
        'somebody is charged',
        () => used(alice) + used(bob) > 1,
        () => warnings.join('\n'),
      );
      await server.sql('KILL QUERY USER bob_1@localhost');
      await done;
      connection.close();
      assert.ok(used(payer) > 0.9, `${used(payer)} s`);
      assert.ok(used(other) < 0.1, `${used(other)} s`);
    } finally {
      await part[Symbol.asyncDispose]?.();
    }
    assert.equal(seenBy(paths, server.pid).by, 'accounts');
  });
});
