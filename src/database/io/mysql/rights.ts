/** The rights of Bulkhead in a MySQL server. */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Row, Rows } from '../../core/protocol/reply.ts';
import {
  definerAccount,
  procedureComment,
  schemaName,
  workerAccount,
} from '../../core/rights/enable-sql.ts';
import {
  planMysql,
  planMysqlUndo,
  type MysqlAccount,
  type MysqlFacts,
} from '../../core/rights/mysql/plan.ts';
import {
  consumer,
  numberStatement,
  restoreStatement,
  sessionStatements,
} from '../../core/rights/mysql/sql.ts';
import type { DatabaseConnection } from '../client/connect.ts';
import type { ServerRights } from '../server.ts';

export const mysqlRights: ServerRights = {
  async plan(connection, options) {
    const facts = await readFacts(connection);
    if (!facts.ok) return facts;
    const steps = planMysql(facts.value, options);
    const remarks = ['Bulkhead was not tried by us on a real server of MySQL or Percona'];
    return steps.ok
      ? ok({ steps: steps.value, remarks, isCounting: facts.value.isCounting })
      : steps;
  },
  async planUndo(connection, { wasCounting }) {
    const facts = await readFacts(connection);
    return facts.ok ? ok(planMysqlUndo(facts.value, wasCounting)) : facts;
  },
  async numberOf(connection, { account, host }) {
    const rows = await connection.query(numberStatement(account, host));
    if (!rows.ok) return rows;
    const value = rows.value[0]?.get('connections') ?? undefined;
    return ok(value === undefined ? undefined : Number(value));
  },
  restoreNumber: (connection, { account, host, connections }) =>
    connection.query(restoreStatement(account, host, connections)),
};

const ours = `('${workerAccount}', '${definerAccount}')`;

const questions = {
  server: `SELECT VERSION() AS version,
    (SELECT plugin_status FROM information_schema.plugins WHERE plugin_name = 'auth_socket') AS plugin,
    (SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'performance_schema'
      AND table_name = 'events_statements_summary_by_user_by_event_name' AND column_name = 'SUM_CPU_TIME') * @@performance_schema AS has_cpu,
    (SELECT ENABLED FROM performance_schema.setup_consumers WHERE NAME = '${consumer}') AS counts,
    (SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = '${schemaName}') AS has_schema`,
  accounts: `SELECT User AS account, plugin AS plugin, account_locked = 'Y' AS locked FROM mysql.user WHERE User IN ${ours} AND Host = 'localhost'`,
  rights: `SELECT GRANTEE AS grantee, PRIVILEGE_TYPE AS name FROM information_schema.user_privileges
    WHERE GRANTEE IN ('''${workerAccount}''@''localhost''', '''${definerAccount}''@''localhost''') AND PRIVILEGE_TYPE <> 'USAGE'`,
  objects: `SELECT CONCAT('view ', table_name) AS name, definer AS mark FROM information_schema.views WHERE table_schema = '${schemaName}'
    UNION ALL SELECT CONCAT('routine ', routine_name), CONCAT(routine_comment, ' ', definer) FROM information_schema.routines WHERE routine_schema = '${schemaName}'
    UNION ALL SELECT CONCAT('table ', table_name), '' FROM information_schema.tables WHERE table_schema = '${schemaName}' AND table_type <> 'VIEW'`,
  strangers: `SELECT User AS account, Host AS host FROM mysql.db WHERE '${schemaName}' LIKE Db AND NOT 'mysql' LIKE Db
    UNION SELECT User, Host FROM mysql.tables_priv WHERE Db = '${schemaName}' AND User NOT IN ${ours}
    UNION SELECT User, Host FROM mysql.columns_priv WHERE Db = '${schemaName}'
    UNION SELECT User, Host FROM mysql.procs_priv WHERE Db = '${schemaName}' AND User NOT IN ${ours}`,
  grants: `SELECT CONCAT(User, ' SELECT ', Db, '.', Table_name) AS name FROM mysql.tables_priv
      WHERE User IN ${ours} AND Host = 'localhost' AND FIND_IN_SET('Select', Table_priv) > 0
    UNION ALL SELECT CONCAT(User, ' EXECUTE ', Db, '.', Routine_name) FROM mysql.procs_priv
      WHERE User IN ${ours} AND Host = 'localhost' AND FIND_IN_SET('Execute', Proc_priv) > 0`,
  connections: `SELECT PROCESSLIST_ID AS id FROM performance_schema.threads WHERE PROCESSLIST_USER = '${workerAccount}' AND PROCESSLIST_ID IS NOT NULL`,
} as const;

type Question = keyof typeof questions;

async function readFacts(connection: DatabaseConnection): Promise<Result<MysqlFacts, Problem>> {
  for (const statement of sessionStatements) {
    const done = await connection.query(statement);
    if (!done.ok) return done;
  }
  const answers = new Map<Question, Rows>();
  for (const question of Object.keys(questions) as Question[]) {
    const rows = await connection.query(questions[question]);
    if (!rows.ok) return rows;
    answers.set(question, rows.value);
  }
  return ok(factsOf((question) => answers.get(question) ?? []));
}

/** The rows that a server answers, as facts. */
export function factsOf(rows: (question: Question) => Rows): MysqlFacts {
  const [server] = rows('server');
  const objects = new Map(
    rows('objects').map((row) => [text(row, 'name'), text(row, 'mark')] as const),
  );
  const known = new Set(['view accounts', 'routine cap']);
  const isKnown = [...objects.keys()].every((each) => known.has(each));
  const definerName = `${definerAccount}@localhost`;
  const hasSchema = text(server, 'has_schema') === '1';
  return {
    version: text(server, 'version'),
    hasAuthSocket: text(server, 'plugin') === 'ACTIVE',
    hasCpuTime: text(server, 'has_cpu') === '1',
    isCounting: text(server, 'counts') === 'YES',
    worker: accountOf(workerAccount, rows),
    definer: accountOf(definerAccount, rows),
    schema: hasSchema ? (isKnown ? 'ours' : 'foreign') : 'absent',
    strangers: rows('strangers').map((row) => `${text(row, 'account')}@${text(row, 'host')}`),
    hasView: objects.get('view accounts') === definerName,
    hasProcedure: objects.get('routine cap') === `${procedureComment} ${definerName}`,
    grants: new Set(rows('grants').map((row) => text(row, 'name'))),
    connections: rows('connections').flatMap((row) => {
      const id = Number(text(row, 'id'));
      return Number.isSafeInteger(id) && id > 0 ? [id] : [];
    }),
  };
}

function accountOf(name: string, rows: (question: Question) => Rows): MysqlAccount | undefined {
  const row = rows('accounts').find((each) => text(each, 'account') === name);
  if (row === undefined) return undefined;
  return {
    plugin: text(row, 'plugin'),
    isLocked: text(row, 'locked') === '1',
    rights: rows('rights')
      .filter((each) => text(each, 'grantee') === `'${name}'@'localhost'`)
      .map((each) => text(each, 'name')),
  };
}

const text = (row: Row | undefined, column: string): string => row?.get(column) ?? '';
