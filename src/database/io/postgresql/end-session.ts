/**
 * Ends a statement or a connection of a PostgreSQL server by the pid of its process. One statement asks again and ends it.
 * Source: PostgreSQL's manual, "System Administration Functions", "Server Signaling Functions".
 */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Ending } from '../../core/backstops.ts';
import { isName } from '../../core/rights/postgresql/sql.ts';
import type { DatabaseConnection } from '../client/connect.ts';

export async function endSession(
  connection: DatabaseConnection,
  ending: Ending,
): Promise<Result<boolean, Problem>> {
  const { id, account, what } = ending;
  // They become part of a statement, whatever the type checker was told.
  if (!Number.isSafeInteger(id) || id <= 0) throw new Error(`${id} is not a pid`);
  const end = what === 'statement' ? 'pg_cancel_backend' : 'pg_terminate_backend';
  const done = await connection.query(
    `SELECT ${end}(pid) AS done FROM pg_stat_activity WHERE pid = ${id} AND backend_type = 'client backend'
      AND ${isName('usename', account)} AND ${stillDoes(ending)}`,
  );
  return done.ok ? ok(done.value[0]?.get('done') === 't') : done;
}

const isActive = "state IN ('active', 'fastpath function call')";

function stillDoes({ why, what, allowed }: Ending): string {
  if (!Number.isFinite(allowed)) throw new Error(`${allowed} is not a time`);
  const longer = (since: string) =>
    `clock_timestamp() - ${since} > ${Math.round(allowed)} * interval '1 millisecond'`;
  if (why === 'connections' || (why === 'request' && what === 'connection')) return 'true';
  if (why === 'request') return isActive;
  if (why === 'statement') return `${isActive} AND ${longer('query_start')}`;
  return `state LIKE 'idle in transaction%' AND ${longer('state_change')}`;
}
