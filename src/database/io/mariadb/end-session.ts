/** Ends a statement or a connection of a MariaDB server by the connection's id. */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Ending } from '../../core/backstops.ts';
import type { DatabaseConnection } from '../client/connect.ts';

/** Commands of threads that belong to the server or to replication. */
const serverCommands: ReadonlySet<string> = new Set([
  'Daemon',
  'Binlog Dump',
  'Binlog Dump GTID',
  'Slave_IO',
  'Slave_SQL',
  'Slave_worker',
  'Kill',
]);

/** The server's error for an id that is no more. */
export const noSuchThread = 1094;

export async function endSession(
  connection: DatabaseConnection,
  ending: Ending,
): Promise<Result<boolean, Problem>> {
  const id = idOf(ending);
  const again = await connection.query(
    `SELECT p.command, p.time_ms, EXISTS (SELECT 1 FROM information_schema.innodb_trx t WHERE t.trx_mysql_thread_id = p.id) AS in_transaction
      FROM information_schema.processlist p WHERE p.id = ${id}`,
  );
  if (!again.ok) return again;
  const [row] = again.value;
  if (row === undefined) return ok(false);
  const isStill = stillDoes(ending, {
    command: row.get('command') ?? '',
    milliseconds: Number(row.get('time_ms') ?? Number.NaN),
    inTransaction: row.get('in_transaction') === '1',
  });
  if (!isStill) return ok(false);
  const kill = ending.what === 'statement' ? 'KILL SOFT QUERY' : 'KILL CONNECTION';
  const done = await connection.query(`${kill} ${id}`);
  if (done.ok) return ok(true);
  return done.error.code === noSuchThread ? ok(false) : done;
}

/** Returns the id as a whole number, whatever the type checker was told: it becomes part of a statement. */
function idOf({ id }: Ending): string {
  if (!Number.isSafeInteger(id) || id <= 0) throw new Error(`${id} is not a connection id`);
  return String(id);
}

export interface Doing {
  readonly command: string;
  readonly milliseconds: number;
  readonly inTransaction: boolean;
}

/** Whether the session still does what it is ended for. */
export function stillDoes(
  { why, what, allowed }: Ending,
  { command, milliseconds, inTransaction }: Doing,
): boolean {
  if (serverCommands.has(command)) return false;
  if (why === 'connections' || (why === 'request' && what === 'connection')) return true;
  if (why === 'request') return command !== 'Sleep';
  if (why === 'statement') return command !== 'Sleep' && milliseconds > allowed;
  return command === 'Sleep' && inTransaction && milliseconds > allowed;
}
