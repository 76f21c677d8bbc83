/** MySQL by its manual: rows as it describes them become looks, accounts, facts and statements. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ok } from '../../../packages/base/result.ts';
import { readLoginStep } from '../../../src/database/core/protocol/login.ts';
import type { Row } from '../../../src/database/core/protocol/reply.ts';
import {
  planMysql,
  planMysqlUndo,
  type MysqlFacts,
} from '../../../src/database/core/rights/mysql/plan.ts';
import { procedureComment } from '../../../src/database/core/rights/enable-sql.ts';
import { passwordLiteral, restoreStatement } from '../../../src/database/core/rights/mysql/sql.ts';
import type { DatabaseConnection } from '../../../src/database/io/client/connect.ts';
import { sha2ProofOf } from '../../../src/database/io/client/mysql.ts';
import { kindOf } from '../../../src/database/io/kinds.ts';
import { factsOf } from '../../../src/database/io/mysql/rights.ts';

type Rows = readonly Readonly<Record<string, string | null>>[];
const rowsOf = (rows: Rows): readonly Row[] => rows.map((row) => new Map(Object.entries(row)));

/** Answers each statement that contains a text with rows. */
function answering(answers: Readonly<Record<string, Rows>>, asked: string[] = []) {
  return {
    protocol: 'mysql',
    version: '8.4.3',
    pid: undefined,
    isOpen: true,
    close: () => {},
    query: (sql) => {
      asked.push(sql);
      const [, rows = []] = Object.entries(answers).find(([part]) => sql.includes(part)) ?? [];
      return Promise.resolve(ok(rowsOf(rows)));
    },
  } satisfies DatabaseConnection;
}

const settings = {
  version: '8.0.36-28',
  edition: 'Percona Server (GPL)',
  schema_on: '1',
  has_cpu: '1',
};
const thread = {
  type: 'FOREGROUND',
  id: '12',
  user: 'alice_1',
  connection: 'Socket',
  command: 'Query',
  time_ms: '4000',
  statement_ms: '4321.5',
  tid: '77',
  info: 'SELECT 1',
};

describe('a MySQL server', () => {
  test('is told from MariaDB by its version', () => {
    const connection = answering({});
    assert.equal(kindOf(connection).name, 'MySQL');
    assert.equal(kindOf({ ...connection, version: '11.8.6-MariaDB' }).name, 'MariaDB');
  });

  test('shows accounts in microseconds, sessions, and idle transactions', async () => {
    const connection = answering({
      version_comment: [{ ...settings, counts: 'YES' }],
      'performance_schema.users': [
        { user: 'alice_1', connections: '7', cpu: '2500000000', statements: '40' },
        { user: 'bob_1', connections: '1', cpu: null, statements: null },
      ],
      innodb_trx: [{ id: '13' }],
      'performance_schema.threads': [
        thread,
        { ...thread, id: '13', command: 'Sleep', time_ms: '9000', statement_ms: null, info: null },
        { ...thread, id: '14', connection: 'TCP/IP' },
        { ...thread, id: '4', command: 'Daemon', user: 'event_scheduler' },
        { ...thread, id: null, type: 'BACKGROUND', user: null, command: null },
      ],
    });
    const opened = await kindOf(connection).open(connection);
    assert.ok(opened.ok);
    assert.match(opened.value.sight.version, /^Percona Server 8\.0\.36/);
    assert.match(opened.value.sight.missing.join('\n'), /not tried by us on a real server/);
    const look = await opened.value.look();
    assert.ok(look.ok);
    assert.deepEqual(look.value.accounts, [
      { account: 'alice_1', cpuMicroseconds: 2500, connections: 7, statements: 40 },
      { account: 'bob_1', cpuMicroseconds: 0, connections: 1, statements: 0 },
    ]);
    assert.deepEqual(
      look.value.sessions.map((each) => [
        each.id,
        each.isLocal,
        each.isRunning,
        each.statementMilliseconds,
        each.transactionMilliseconds,
      ]),
      [
        [12, true, true, 4321.5, undefined],
        [13, true, false, undefined, 9000],
        [14, false, true, 4321.5, undefined],
      ],
    );
  });

  test('without the counter of CPU time says what to do, and asks for none', async () => {
    for (const [more, text] of [
      [{ has_cpu: '0', counts: null }, /it needs MySQL 8\.0\.28/],
      [{ counts: 'NO' }, /events_statements_cpu is off; run "bulkhead db enable"/],
    ] as const) {
      const asked: string[] = [];
      const connection = answering({ version_comment: [{ ...settings, ...more }] }, asked);
      const opened = await kindOf(connection).open(connection);
      assert.ok(opened.ok);
      assert.match(opened.value.sight.missing.join('\n'), text);
      assert.ok((await opened.value.look()).ok);
      assert.ok(!asked.some((sql) => sql.includes('SUM(SUM_CPU_TIME)')));
    }
  });

  test('has accounts with the privileges of their roles', async () => {
    const account = {
      account: 'alice_1',
      host: 'localhost',
      connections: '0',
      is_role: '0',
      creates_events: '0',
      grants: '1',
    };
    const connection = answering({
      '.accounts': [
        { ...account, privileges: null },
        { ...account, account: 'admin', privileges: 'SUPER,others,SUPER' },
      ],
    });
    const read = await kindOf(connection).accounts(connection, 'worker');
    assert.ok(read.ok);
    assert.deepEqual(
      read.value.map(({ privileges, grants }) => [privileges, grants]),
      [
        [[], true],
        [['SUPER', 'others'], true],
      ],
    );
  });

  test('ends a statement only of the account, and while it goes on', async () => {
    const ending = {
      id: 12,
      account: 'alice_1',
      tenant: 1,
      what: 'statement',
      why: 'statement',
      found: 1,
      allowed: 3000,
      statement: '',
    } as const;
    const row = {
      user: 'alice_1',
      command: 'Query',
      time_ms: '4000',
      statement_ms: '4000',
      in_transaction: '0',
    };
    for (const [more, kills] of [
      [{}, ['KILL QUERY 12']],
      [{ user: 'bob_1' }, []],
      [{ statement_ms: '100' }, []],
      [{ command: 'Sleep' }, []],
      [{ command: 'Binlog Dump GTID' }, []],
    ] as const) {
      const asked: string[] = [];
      const connection = answering(
        { 'FROM performance_schema.threads': [{ ...row, ...more }] },
        asked,
      );
      assert.ok((await kindOf(connection).endSession(connection, ending)).ok);
      assert.deepEqual(
        asked.filter((sql) => sql.startsWith('KILL')),
        kills,
      );
    }
  });
});

const bare: MysqlFacts = {
  version: '8.4.3',
  hasAuthSocket: true,
  hasCpuTime: true,
  isCounting: false,
  worker: undefined,
  definer: undefined,
  schema: 'absent',
  strangers: [],
  hasView: false,
  hasProcedure: false,
  grants: new Set(),
  connections: [],
};

describe('rights in a MySQL server', () => {
  const sqlOf = (facts: MysqlFacts, password?: string) => {
    const plan = planMysql(facts, { isOurs: facts !== bare, ...(password && { password }) });
    assert.ok(plan.ok, JSON.stringify(plan));
    return plan.value.map(({ sql }) => sql);
  };

  test('are made in an order in which each statement can run, without syntax of MariaDB', () => {
    const statements = sqlOf(bare);
    const at = (part: string) => statements.findIndex((sql) => sql.includes(part));
    assert.ok(at('CREATE USER IF NOT EXISTS `bulkhead-cap`') < at('CREATE SCHEMA'));
    assert.ok(at('SELECT ON mysql.user') < at('CREATE OR REPLACE DEFINER'));
    assert.ok(at('CREATE OR REPLACE DEFINER') < at('GRANT SELECT ON `bulkhead`.accounts'));
    assert.ok(at('CREATE DEFINER') < at('GRANT EXECUTE ON PROCEDURE `bulkhead`.cap'));
    assert.ok(at('auth_socket') >= 0 && at('setup_consumers SET ENABLED') >= 0);
    for (const other of [
      'EXECUTE IMMEDIATE',
      'IDENTIFIED VIA',
      'CREATE OR REPLACE PROCEDURE',
      'global_priv ',
      'userstat',
      'SOFT',
    ])
      assert.equal(at(other), -1, other);
  });

  const done = factsOf((question) =>
    rowsOf(
      {
        server: [
          { version: '8.4.3', plugin: 'ACTIVE', has_cpu: '1', counts: 'YES', has_schema: '1' },
        ],
        accounts: [
          { account: 'bulkhead-db', plugin: 'auth_socket', locked: '0' },
          { account: 'bulkhead-cap', plugin: 'caching_sha2_password', locked: '1' },
        ],
        rights: [
          ...['PROCESS', 'CONNECTION_ADMIN'].map((name) => ({
            grantee: "'bulkhead-db'@'localhost'",
            name,
          })),
          ...['CREATE USER', 'SESSION_VARIABLES_ADMIN'].map((name) => ({
            grantee: "'bulkhead-cap'@'localhost'",
            name,
          })),
        ],
        objects: [
          { name: 'view accounts', mark: 'bulkhead-cap@localhost' },
          { name: 'routine cap', mark: `${procedureComment} bulkhead-cap@localhost` },
        ],
        strangers: [],
        grants: [
          ...[
            'mysql.user',
            'mysql.db',
            'mysql.global_grants',
            'mysql.role_edges',
            'bulkhead.accounts',
          ].map((name) => ({ name: `bulkhead-cap SELECT ${name}` })),
          ...[
            'threads',
            'users',
            'setup_consumers',
            'events_statements_current',
            'events_statements_summary_by_user_by_event_name',
          ].map((name) => ({ name: `bulkhead-db SELECT performance_schema.${name}` })),
          { name: 'bulkhead-db SELECT bulkhead.accounts' },
          { name: 'bulkhead-db EXECUTE bulkhead.cap' },
          { name: 'bulkhead-cap EXECUTE bulkhead.cap' },
        ],
        connections: [{ id: '31' }, { id: 'x' }],
      }[question],
    ),
  );

  test('that are complete need nothing, and rights too many are taken', () => {
    assert.deepEqual(sqlOf(done), []);
    assert.ok(done.worker !== undefined);
    const worker = { ...done.worker, rights: [...done.worker.rights, 'SUPER'] };
    const statements = sqlOf({ ...done, worker });
    assert.ok(statements[0]?.startsWith('REVOKE ALL PRIVILEGES'));
    assert.ok(
      statements.includes('GRANT EXECUTE ON PROCEDURE `bulkhead`.cap TO `bulkhead-db`@localhost'),
    );
  });

  test('are refused with what to do', () => {
    for (const [more, reason] of [
      [{ hasCpuTime: false }, /does not count/],
      [{ hasAuthSocket: false }, /auth_socket is not active/],
      [{ schema: 'foreign' }, /did not make/],
      [{ schema: 'ours' }, /did not make/],
      [{ strangers: ['eve@%'] }, /eve@%/],
      [{ worker: { plugin: 'x', isLocked: false, rights: [] } }, /no record/],
    ] as const) {
      const plan = planMysql({ ...bare, ...more }, { isOurs: false });
      assert.match(plan.ok ? '' : plan.error.reason, reason);
    }
    assert.ok(
      sqlOf({ ...bare, hasAuthSocket: false }, "a'b\\").some((sql) =>
        sql.endsWith("BY 'a''b\\\\'"),
      ),
    );
  });

  test('are undone, the worker first', () => {
    const { before, after } = planMysqlUndo(done, false);
    assert.deepEqual(
      before.map(({ sql }) => sql),
      ['DROP USER IF EXISTS `bulkhead-db`@localhost', 'KILL CONNECTION 31'],
    );
    assert.match(
      after.map(({ sql }) => sql).join('; '),
      /DROP PROCEDURE.*DROP VIEW.*DROP SCHEMA.*DROP USER.*'NO'/,
    );
    assert.ok(!planMysqlUndo(done, true).after.some(({ sql }) => sql.includes("'NO'")));
  });

  test('quote names and passwords', () => {
    assert.equal(passwordLiteral("a'b\\"), "'a''b\\\\'");
    assert.equal(
      restoreStatement('a`; DROP USER bob', 'h`', 3),
      'ALTER USER `a``; DROP USER bob`@`h``` WITH MAX_USER_CONNECTIONS 3',
    );
  });

  test('a login by caching_sha2_password sends a proof, and the password only if it is asked for', () => {
    const proof = sha2ProofOf('sesame', new Uint8Array(20));
    assert.equal(proof.length, 32);
    assert.equal(sha2ProofOf('', new Uint8Array(20)).length, 0);
    assert.deepEqual(readLoginStep(Uint8Array.of(1, 3)), ok({ kind: 'proven' }));
    assert.deepEqual(readLoginStep(Uint8Array.of(1, 4)), ok({ kind: 'password' }));
    assert.equal(readLoginStep(Uint8Array.of(1, 9)).ok, false);
  });
});
