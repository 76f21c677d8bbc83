/**
 * Ends a statement or a connection of a MySQL server by the connection's id. Source: MySQL Reference Manual, "KILL
 * Statement".
 */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Ending } from '../../core/backstops.ts';
import type { DatabaseConnection } from '../client/connect.ts';
import { noSuchThread, stillDoes } from '../mariadb/end-session.ts';

export async function endSession(
  connection: DatabaseConnection,
  ending: Ending,
): Promise<Result<boolean, Problem>> {
  const { id, account, what } = ending;
  // It becomes part of a statement, whatever the type checker was told.
  if (!Number.isSafeInteger(id) || id <= 0) throw new Error(`${id} is not a connection id`);
  const again = await connection.query(
    `SELECT t.PROCESSLIST_USER AS user, t.PROCESSLIST_COMMAND AS command, t.PROCESSLIST_TIME * 1000 AS time_ms,
        (SELECT MAX(s.TIMER_WAIT) / 1000000000 FROM performance_schema.events_statements_current s
          WHERE s.THREAD_ID = t.THREAD_ID AND s.NESTING_EVENT_ID IS NULL AND s.END_EVENT_ID IS NULL) AS statement_ms,
        EXISTS (SELECT 1 FROM information_schema.innodb_trx x WHERE x.trx_mysql_thread_id = t.PROCESSLIST_ID) AS in_transaction
      FROM performance_schema.threads t WHERE t.PROCESSLIST_ID = ${id} AND t.TYPE = 'FOREGROUND'`,
  );
  if (!again.ok) return again;
  const [row] = again.value;
  if (row === undefined || row.get('user') !== account) return ok(false);
  const isStill = stillDoes(ending, {
    command: row.get('command') ?? '',
    milliseconds: Number(row.get('statement_ms') ?? row.get('time_ms') ?? Number.NaN),
    inTransaction: row.get('in_transaction') === '1',
  });
  if (!isStill) return ok(false);
  const done = await connection.query(
    `KILL ${what === 'statement' ? 'QUERY' : 'CONNECTION'} ${id}`,
  );
  if (done.ok) return ok(true);
  return done.error.code === noSuchThread ? ok(false) : done;
}
