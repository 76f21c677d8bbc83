/** Reads what `enable` and `disable` decide by, as root. */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { OwnAccount, ServerFacts } from '../../core/rights/enable.ts';
import {
  definerAccount,
  procedureComment,
  schemaComment,
  schemaName,
  sessionStatements,
  workerAccount,
} from '../../core/rights/enable-sql.ts';
import type { Row, Rows } from '../../core/protocol/reply.ts';
import type { DatabaseConnection } from '../client/connect.ts';

const ours = `('${workerAccount}', '${definerAccount}')`;

const questions = {
  variables:
    'SELECT VERSION() AS version, @@GLOBAL.read_only AS read_only, @@GLOBAL.userstat AS userstat',
  plugin: "SELECT plugin_status FROM information_schema.plugins WHERE plugin_name = 'unix_socket'",
  replicas: 'SHOW ALL SLAVES STATUS',
  accounts: `SELECT User AS account, COALESCE(JSON_VALUE(Priv, '$.access'), '0') AS access,
      COALESCE(JSON_VALUE(Priv, '$.plugin'), '') AS plugin, COALESCE(JSON_VALUE(Priv, '$.account_locked'), 0) <> 0 AS locked
    FROM mysql.global_priv WHERE User IN ${ours} AND Host = 'localhost'`,
  schema: `SELECT schema_comment FROM information_schema.schemata WHERE schema_name = '${schemaName}'`,
  objects: `SELECT 'view' AS kind, table_name AS name, definer AS mark FROM information_schema.views WHERE table_schema = '${schemaName}'
    UNION ALL SELECT 'routine', routine_name, CONCAT(routine_comment, ' ', definer) FROM information_schema.routines WHERE routine_schema = '${schemaName}'
    UNION ALL SELECT 'table', table_name, '' FROM information_schema.tables WHERE table_schema = '${schemaName}' AND table_type <> 'VIEW'`,
  // Rights in mysql are rights to everything, so an account that has those is left out.
  strangers: `SELECT User AS account, Host AS host FROM mysql.db WHERE '${schemaName}' LIKE Db AND NOT 'mysql' LIKE Db
    UNION SELECT User, Host FROM mysql.tables_priv WHERE Db = '${schemaName}' AND User NOT IN ${ours}
    UNION SELECT User, Host FROM mysql.columns_priv WHERE Db = '${schemaName}'
    UNION SELECT User, Host FROM mysql.procs_priv WHERE Db = '${schemaName}' AND User NOT IN ${ours}`,
  grants: `SELECT User AS account, 'SELECT' AS entitled, Db AS place, Table_name AS name FROM mysql.tables_priv
      WHERE User IN ${ours} AND Host = 'localhost' AND FIND_IN_SET('Select', Table_priv) > 0
    UNION ALL SELECT User, 'EXECUTE', Db, Routine_name FROM mysql.procs_priv
      WHERE User IN ${ours} AND Host = 'localhost' AND FIND_IN_SET('Execute', Proc_priv) > 0`,
} as const;

type Question = keyof typeof questions;

export async function readServerFacts(
  connection: DatabaseConnection,
): Promise<Result<ServerFacts, Problem>> {
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

function factsOf(rows: (question: Question) => Rows): ServerFacts {
  const [variables] = rows('variables');
  const isOn = (name: string) => ['1', 'ON'].includes(text(variables, name));
  const objects = rows('objects').map((row) => ({
    name: `${text(row, 'kind')} ${text(row, 'name')}`,
    mark: text(row, 'mark'),
  }));
  const known = new Set(['view accounts', 'routine cap']);
  const isKnown = objects.every(({ name }) => known.has(name));
  const has = (wanted: string, mark: string) =>
    objects.some((each) => each.name === wanted && each.mark === mark);
  const [schema] = rows('schema');
  const isOurs = text(schema, 'schema_comment') === schemaComment && isKnown;
  return {
    version: text(variables, 'version'),
    hasUnixSocket: text(rows('plugin')[0], 'plugin_status') === 'ACTIVE',
    isReadOnly: isOn('read_only'),
    isReplica: rows('replicas').length > 0,
    hasUserstat: isOn('userstat'),
    worker: accountOf(rows('accounts'), workerAccount),
    definer: accountOf(rows('accounts'), definerAccount),
    schema: schema === undefined ? 'absent' : isOurs ? 'ours' : 'foreign',
    strangers: rows('strangers').map((row) => `${text(row, 'account')}@${text(row, 'host')}`),
    hasView: has('view accounts', `${definerAccount}@localhost`),
    hasProcedure: has('routine cap', `${procedureComment} ${definerAccount}@localhost`),
    grants: new Set(
      rows('grants').map(
        (row) =>
          `${text(row, 'account')} ${text(row, 'entitled')} ${text(row, 'place')}.${text(row, 'name')}`,
      ),
    ),
  };
}

function accountOf(rows: Rows, name: string): OwnAccount | undefined {
  const row = rows.find((each) => text(each, 'account') === name);
  if (row === undefined) return undefined;
  const access = text(row, 'access');
  return {
    access: /^\d{1,20}$/.test(access) ? BigInt(access) : undefined,
    plugin: text(row, 'plugin'),
    isLocked: text(row, 'locked') === '1',
  };
}

const text = (row: Row | undefined, column: string): string => row?.get(column) ?? '';
