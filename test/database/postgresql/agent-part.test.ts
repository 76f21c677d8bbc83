/** The agent's part with a real PostgreSQL, and tenants' real connections. Nobody is paused: the policy watches. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { formatProblem } from '../../../packages/base/problem.ts';
import type { Log } from '../../../src/agent/log.ts';
import type { ReportedFault } from '../../../src/agent/part.ts';
import { databasePart } from '../../../src/database/io/agent-part.ts';
import { enableServer } from '../../../src/database/io/enable.ts';
import { lockDatabases } from '../../../src/database/io/record-file.ts';
import { pathsOf } from '../../../src/host/paths.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';
import { resolvePolicy } from '../../../src/policy/resolve.ts';
import { eventually } from '../../../testing/patience.ts';
import {
  postgresqlMissing,
  startPostgresql,
  type PostgresqlServer,
} from '../../../testing/postgresql.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

const aliceUid = 64_362;
const workerUid = 620_792;

describe("the agent's part for PostgreSQL", { skip: postgresqlMissing }, () => {
  // Others can change /tmp, so no server there is trusted.
  const directory = suiteDirectory('postgresql-part', '/var/lib');
  const [etc, runtime, state, place] = ['etc', 'run', 'state', 'server'].map((name) =>
    join(directory, name),
  ) as [string, string, string, string];
  const paths = { ...pathsOf('bulkhead-postgresql-part'), etc, runtime, state };
  const warnings: string[] = [];
  const log = { warn: (text: string) => warnings.push(text) } as unknown as Log;
  let server: PostgresqlServer;

  before(async () => {
    chmodSync(directory, 0o755);
    for (const each of [etc, runtime, state, place]) mkdirSync(each);
    server = await startPostgresql(place);
    server.allow('local all postgres peer\nlocal all all scram-sha-256\n');
    const passwd = [
      `postgres:x:${server.uid}:${server.gid}::/:/bin/false`,
      `bulkhead-db:x:${workerUid}:${workerUid}::/:/bin/false`,
      `alice:x:${aliceUid}:${aliceUid}::/home/alice:/bin/false`,
    ];
    writeFileSync(join(etc, 'passwd'), `${passwd.join('\n')}\n`);
    writeFileSync(join(etc, 'login.defs'), 'UID_MIN 700000\n');
    writeFileSync(join(etc, 'db.cnf'), '[client]\nuser=bulkhead-db\npassword=sesame\n', {
      mode: 0o600,
    });
    await server.sql(
      "CREATE ROLE alice_1 LOGIN PASSWORD 'alice_1'; CREATE ROLE alice_admin CREATEROLE LOGIN",
    );
    lockOf().release();
    const connection = await server.connect();
    const target = { paths: { state }, socket: server.socket, connection, password: 'sesame' };
    const enabled = await enableServer(target);
    assert.ok(enabled.ok, JSON.stringify(enabled));
    connection.close();
  });
  after(() => server.stop());

  function lockOf() {
    const lock = lockDatabases({ state });
    if (!lock.ok) throw new Error(formatProblem(lock.error));
    return lock.value;
  }

  function policyWith(limits: string) {
    const text = `<bulkhead version="1">
      <databases><server kind="postgresql" socket="${server.socket}" credentials="${etc}/db.cnf"/></databases>
      <tenant uid="${aliceUid}">${limits}</tenant></bulkhead>`;
    const { document, diagnostics } = parsePolicy('policy.xml', text);
    assert.ok(document !== undefined, JSON.stringify(diagnostics));
    const accounts = [{ user: 'alice', uid: aliceUid, gid: aliceUid, home: '/home/alice' }];
    return resolvePolicy(document, { accounts, uidMin: 1000 });
  }

  const limitOf = async (role: string) =>
    (await server.sql(`SELECT rolconnlimit AS it FROM pg_roles WHERE rolname = '${role}'`))[0]?.get(
      'it',
    );

  test('sees, reports and ends what is above the limits, and sets numbers of connections', async () => {
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
    const alice = await server.connect('alice_1', 'alice_1');
    const done = alice.query("SELECT 'secret', sum(i) FROM generate_series(1, 100000000000) i");
    try {
      const cpu = await faultOf('database.cpu');
      assert.equal(cpu.member, `u${aliceUid}`);
      part.adopt?.(policyWith('<database statement="1s" connections="3"/>'), new Map());
      await faultOf('database.statement');
      const failed = await done;
      assert.ok(!failed.ok && failed.error.code === '57014', JSON.stringify(failed));
      const evidence = JSON.stringify(faults.map((each) => each.evidence));
      assert.match(evidence, /generate_series/);
      assert.ok(!evidence.includes('secret'), evidence);
      await eventually('her number is set', async () => (await limitOf('alice_1')) === '3');
      assert.equal(await limitOf('alice_admin'), '-1');
      const more = [];
      for (let count = 0; count < 2; count += 1)
        more.push(await server.connect('alice_1', 'alice_1'));
      await assert.rejects(server.connect('alice_1', 'alice_1'), /too many connections for role/);
      for (const each of more) each.close();
    } finally {
      alice.close();
      await part[Symbol.asyncDispose]?.();
    }
  });

  test('ends a transaction that waits', async () => {
    const part = databasePart(paths, log);
    part.adopt?.(policyWith('<database transaction="1s"/>'), new Map());
    const alice = await server.connect('alice_1', 'alice_1');
    try {
      await alice.query('BEGIN');
      await eventually(
        'it is closed',
        () => !alice.isOpen,
        () => warnings.join('\n'),
      );
    } finally {
      alice.close();
      await part[Symbol.asyncDispose]?.();
    }
  });
});
