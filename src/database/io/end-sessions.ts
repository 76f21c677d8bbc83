/**
 * Ends statements and connections of a MariaDB server by the connection's id. The server is asked again right before:
 * what took too long may be over, and the connection may do something else by now.
 */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Ending } from '../core/backstops.ts';
import type { DatabaseConnection } from './client/connect.ts';

export interface Ended {
  /** Sessions whose end the server has accepted. */
  readonly ended: readonly Ending[];
  /** Sessions that were over, or gone, before they were ended. */
  readonly over: readonly Ending[];
  readonly problems: readonly Problem[];
}

/** Commands of threads that belong to the server or to replication. */
const serverCommands: ReadonlySet<string> = new Set([
  'Daemon',
  'Binlog Dump',
  'Slave_IO',
  'Slave_SQL',
  'Slave_worker',
  'Kill',
]);

/** The server's error for an id that is no more. */
const noSuchThread = 1094;

export async function endSessions(
  connection: DatabaseConnection,
  endings: readonly Ending[],
): Promise<Ended> {
  const ended: Ending[] = [];
  const over: Ending[] = [];
  const problems: Problem[] = [];
  for (const each of endings) {
    const done = await endSession(connection, each);
    if (!done.ok) problems.push(done.error);
    else (done.value ? ended : over).push(each);
    if (!connection.isOpen) break;
  }
  return { ended, over, problems };
}

async function endSession(
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

interface Doing {
  readonly command: string;
  readonly milliseconds: number;
  readonly inTransaction: boolean;
}

function stillDoes(
  { why, what, allowed }: Ending,
  { command, milliseconds, inTransaction }: Doing,
): boolean {
  if (serverCommands.has(command)) return false;
  if (why === 'connections' || (why === 'request' && what === 'connection')) return true;
  if (why === 'request') return command !== 'Sleep';
  if (why === 'statement') return command !== 'Sleep' && milliseconds > allowed;
  return command === 'Sleep' && inTransaction && milliseconds > allowed;
}
