/** The rights of Bulkhead in a PostgreSQL server. */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Row } from '../../core/protocol/reply.ts';
import { workerAccount } from '../../core/rights/enable-sql.ts';
import {
  planPostgresql,
  planPostgresqlUndo,
  type PostgresqlFacts,
} from '../../core/rights/postgresql/plan.ts';
import {
  functionComment,
  numberStatement,
  restoreStatement,
  schemaComment,
  schemaName,
} from '../../core/rights/postgresql/sql.ts';
import type { DatabaseConnection } from '../client/connect.ts';
import { scramVerifier } from '../client/scram.ts';
import type { ServerRights } from '../server.ts';

export const postgresqlRights: ServerRights = {
  async plan(connection, { isOurs, password }) {
    const facts = await readFacts(connection);
    if (!facts.ok) return facts;
    const verifier = password === undefined ? {} : { verifier: scramVerifier(password) };
    const steps = planPostgresql(facts.value, { isOurs, ...verifier });
    // It counts nothing by account, so there is nothing to turn on.
    return steps.ok ? ok({ steps: steps.value, remarks: [], isCounting: true }) : steps;
  },
  async planUndo(connection) {
    const facts = await readFacts(connection);
    return facts.ok ? ok(planPostgresqlUndo(facts.value)) : facts;
  },
  async numberOf(connection, { account }) {
    const rows = await connection.query(numberStatement(account));
    if (!rows.ok) return rows;
    const value = rows.value[0]?.get('connections') ?? undefined;
    return ok(value === undefined ? undefined : Number(value));
  },
  restoreNumber: (connection, { account, connections }) =>
    connection.query(restoreStatement(account, connections)),
};

const factsSql = `SELECT current_setting('server_version_num') AS version,
    current_setting('is_superuser') = 'on' AS superuser, pg_is_in_recovery() AS replica,
    w.oid IS NOT NULL AS has_worker,
    w.rolcanlogin AND w.rolinherit AND NOT w.rolsuper AND NOT w.rolcreatedb AND NOT w.rolcreaterole
      AND NOT w.rolreplication AND NOT w.rolbypassrls AS is_plain,
    s.oid IS NOT NULL AS has_schema,
    COALESCE(obj_description(s.oid, 'pg_namespace') = '${schemaComment}', false)
      AND (SELECT rolsuper FROM pg_roles WHERE oid = s.nspowner) AS is_marked,
    EXISTS (SELECT FROM pg_class WHERE relnamespace = s.oid)
      OR EXISTS (SELECT FROM pg_proc WHERE pronamespace = s.oid AND proname NOT IN ('cap', 'trusts')) AS has_others,
    w.oid IS NOT NULL AND s.oid IS NOT NULL AND EXISTS (SELECT FROM aclexplode(s.nspacl) a WHERE a.grantee = w.oid) AS may_use
  FROM (SELECT) one LEFT JOIN pg_roles w ON w.rolname = '${workerAccount}' LEFT JOIN pg_namespace s ON s.nspname = '${schemaName}'`;

const membershipsSql = `SELECT r.rolname AS name FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
  JOIN pg_roles w ON w.oid = m.member WHERE w.rolname = '${workerAccount}'`;

const functionsSql = `SELECT p.proname AS name FROM pg_proc p JOIN pg_namespace s ON s.oid = p.pronamespace
  JOIN pg_roles o ON o.oid = p.proowner JOIN pg_roles w ON w.rolname = '${workerAccount}'
  WHERE s.nspname = '${schemaName}' AND p.prosecdef AND o.rolsuper AND obj_description(p.oid, 'pg_proc') = '${functionComment}'
    AND EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = w.oid)`;

/** The grantee 0 is everybody. Functions with no list of rights may be called by everybody. */
const strangersSql = `WITH lists AS (
    SELECT COALESCE(nspacl, acldefault('n', nspowner)) AS acl, nspowner AS owner FROM pg_namespace WHERE nspname = '${schemaName}'
    UNION ALL SELECT COALESCE(p.proacl, acldefault('f', p.proowner)), p.proowner FROM pg_proc p
      JOIN pg_namespace s ON s.oid = p.pronamespace WHERE s.nspname = '${schemaName}')
  SELECT DISTINCT COALESCE(r.rolname, 'PUBLIC') AS name FROM lists, aclexplode(lists.acl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
  WHERE a.grantee <> lists.owner AND r.rolname IS DISTINCT FROM '${workerAccount}'`;

async function readFacts(
  connection: DatabaseConnection,
): Promise<Result<PostgresqlFacts, Problem>> {
  const rows = await connection.query(factsSql);
  if (!rows.ok) return rows;
  const lists: (readonly string[])[] = [];
  for (const each of [membershipsSql, functionsSql, strangersSql]) {
    const found = await connection.query(each);
    if (!found.ok) return found;
    lists.push(found.value.map((row) => row.get('name') ?? ''));
  }
  const [memberships = [], functions = [], strangers = []] = lists;
  const [row] = rows.value;
  return ok({
    version: Number(row?.get('version')),
    isSuperuser: is(row, 'superuser'),
    isReplica: is(row, 'replica'),
    worker: is(row, 'has_worker') ? { isPlain: is(row, 'is_plain'), memberships } : undefined,
    schema: schemaOf(row),
    strangers,
    mayUseSchema: is(row, 'may_use'),
    functions: new Set(functions),
  });
}

function schemaOf(row: Row | undefined): PostgresqlFacts['schema'] {
  if (!is(row, 'has_schema')) return 'absent';
  return is(row, 'is_marked') && !is(row, 'has_others') ? 'ours' : 'foreign';
}

const is = (row: Row | undefined, column: string): boolean => row?.get(column) === 't';
