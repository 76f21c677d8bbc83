/**
 * MariaDB, and Percona Server with its USER_STATISTICS: what accounts have used, the connections, and the CPU time of
 * their threads. Source: MariaDB Server Documentation, "USER_STATISTICS Table", "PROCESSLIST Table", "INNODB_TRX Table".
 */
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { serverProcess } from '../../../host/databases/server-process.ts';
import { processCpuMicroseconds } from '../../../sys/syscalls.ts';
import type { AccountUse, Look } from '../../core/look.ts';
import { rowsMax, type Row } from '../../core/protocol/reply.ts';
import { textLiteral } from '../../core/rights/enable-sql.ts';
import { Sessions, type ListedSession } from '../../core/use/sessions.ts';
import type { DatabaseConnection, DatabaseProblem } from '../client/connect.ts';
import type { DatabaseServer, Sight } from '../server.ts';
import { BackgroundThreads, isEventThread, threadCpuMicroseconds } from './threads.ts';

/** Columns that this kind needs, with what is not seen without them. */
const needed = [
  ['user_statistics', 'cpu_time', 'the CPU time of statements'],
  ['processlist', 'time_ms', 'how long statements run'],
  ['processlist', 'tid', 'the CPU time of running statements'],
  ['innodb_trx', 'trx_mysql_thread_id', 'idle transactions'],
] as const;

const columnsSql = `SELECT LOWER(CONCAT(table_name, '.', column_name)) AS name FROM information_schema.columns
  WHERE table_schema = 'information_schema' AND table_name IN ('user_statistics', 'processlist', 'innodb_trx')`;

/** Asks a server what it shows: versions differ, and so do settings. */
export async function openMariadb(
  connection: DatabaseConnection,
): Promise<Result<DatabaseServer, DatabaseProblem>> {
  const listed = await connection.query(columnsSql);
  if (!listed.ok) return listed;
  const columns = new Set(listed.value.map((row) => row.get('name') ?? ''));
  const has = (table: string, column: string) => columns.has(`${table}.${column}`);
  const setting = await connection.query("SHOW GLOBAL VARIABLES LIKE 'userstat'");
  if (!setting.ok) return setting;
  const isCounting = setting.value[0]?.get('value') === 'ON';
  const pid = serverProcess(connection.pid);
  const missing = [
    ...needed.flatMap(([table, column, what]) =>
      has(table, column) ? [] : [`${what}: ${table.toUpperCase()} has no ${column.toUpperCase()}`],
    ),
    ...(isCounting
      ? []
      : ['the CPU time of statements: userstat is OFF; run "bulkhead db enable"']),
    ...(pid === undefined ? ['the CPU time of threads: the process of the server is unknown'] : []),
  ];
  return ok(new Mariadb(connection, { version: connection.version, pid, missing }, has));
}

/** Reading all threads takes longer than the rest of a look, and is of use only with those at all accounts. */
const looksPerBackground = 5;

type Has = (table: string, column: string) => boolean;

class Mariadb implements DatabaseServer {
  readonly connection: DatabaseConnection;
  readonly sight: Sight;
  readonly #sql: ReturnType<typeof statementsFor>;
  readonly #sessions = new Sessions();
  readonly #background: BackgroundThreads | undefined;
  /** The number of those so far that asked about all accounts. */
  #looks = 0;

  constructor(connection: DatabaseConnection, sight: Sight, has: Has) {
    this.connection = connection;
    this.sight = sight;
    this.#sql = statementsFor(has);
    this.#background = sight.pid === undefined ? undefined : new BackgroundThreads(sight.pid);
  }

  async look(
    only?: readonly string[],
    asksTransactions = true,
  ): Promise<Result<Look, DatabaseProblem>> {
    const { accounts, processes, transactions } = this.#sql;
    const counted = accounts === undefined ? ok([]) : await this.connection.query(accounts(only));
    if (!counted.ok) return counted;
    const open =
      transactions === undefined || !asksTransactions
        ? ok([])
        : await this.connection.query(transactions);
    if (!open.ok) return open;
    const askedMicroseconds = nowMicroseconds();
    const listed = await this.connection.query(processes);
    if (!listed.ok) return fail(listed.error);
    const atMicroseconds = nowMicroseconds();
    const { pid } = this.sight;
    const inTransaction = new Set(open.value.map((row) => numberOf(row, 'id')));
    const cpuOf: ThreadCpu = (row, server) =>
      this.#idleCpu(row, atMicroseconds) ?? threadCpuMicroseconds(server, numberOf(row, 'tid'));
    const sessions = listed.value.flatMap((row) => sessionOf(row, pid, inTransaction, cpuOf));
    const readsBackground = only === undefined && this.#looks++ % looksPerBackground === 0;
    return ok({
      atMicroseconds,
      accounts: counted.value.map(accountOf),
      sessions: this.#sessions.follow(sessions, atMicroseconds, askedMicroseconds),
      serverCpuMicroseconds: pid === undefined ? undefined : processCpuMicroseconds(pid),
      backgroundCpuMicroseconds: readsBackground ? this.#background?.read() : undefined,
      ...(counted.value.length === rowsMax ? { hasMoreAccounts: true } : {}),
      ...(listed.value.length === rowsMax ? { hasMoreSessions: true } : {}),
    });
  }

  #idleCpu(row: Row, now: number): number | undefined {
    if (row.get('command') !== idleCommand) return undefined;
    return this.#sessions.cpuOfIdle(numberOf(row, 'id'), numberOf(row, 'time_ms'), now);
  }
}

const idleCommand = 'Sleep';

/** The clock is the same in every process. */
const nowMicroseconds = () => Number(process.hrtime.bigint()) / 1000;

/** Returns the CPU time of a connection's thread. */
type ThreadCpu = (row: Row, pid: number) => number | undefined;

/** Returns the statements of a look; absent ones have no columns to ask for. */
function statementsFor(has: Has) {
  const time = has('processlist', 'time_ms') ? 'time_ms' : 'time * 1000';
  const tid = has('processlist', 'tid') ? 'tid' : 'NULL';
  return {
    accounts: has('user_statistics', 'cpu_time')
      ? (only?: readonly string[]) => `SELECT user, cpu_time, total_connections,
           select_commands + update_commands + other_commands AS statements FROM information_schema.user_statistics
           ${whereUser(only)} ORDER BY cpu_time DESC LIMIT ${rowsMax}`
      : undefined,
    processes: `SELECT id, user, host, command, ${time} AS time_ms, ${tid} AS tid, LEFT(info, 200) AS info
      FROM information_schema.processlist LIMIT ${rowsMax}`,
    transactions: has('innodb_trx', 'trx_mysql_thread_id')
      ? `SELECT trx_mysql_thread_id AS id FROM information_schema.innodb_trx LIMIT ${rowsMax}`
      : undefined,
  };
}

const whereUser = (only: readonly string[] | undefined) =>
  only === undefined || only.length === 0 ? '' : `WHERE user IN (${only.map(textLiteral).join()})`;

const numberOf = (row: Row, column: string): number => {
  const value = Number(row.get(column) ?? 0);
  return Number.isFinite(value) ? value : 0;
};

const accountOf = (row: Row): AccountUse => ({
  account: row.get('user') ?? '',
  cpuMicroseconds: numberOf(row, 'cpu_time') * 1e6,
  connections: numberOf(row, 'total_connections'),
  statements: numberOf(row, 'statements'),
});

/** Threads of the server itself, and clients that have not logged in yet. */
const notAccounts: ReadonlySet<string> = new Set([
  'system user',
  'event_scheduler',
  'unauthenticated user',
]);

function sessionOf(
  row: Row,
  pid: number | undefined,
  inTransaction: ReadonlySet<number>,
  cpuOf: ThreadCpu,
): readonly ListedSession[] {
  const account = row.get('user') ?? '';
  const command = row.get('command') ?? '';
  if (notAccounts.has(account) || command === 'Daemon') return [];
  const id = numberOf(row, 'id');
  const tid = numberOf(row, 'tid');
  const hasThread = pid !== undefined && tid > 0;
  const isEvent = command === 'Connect' && hasThread && isEventThread(pid, tid);
  const isIdle = command === idleCommand;
  const milliseconds = numberOf(row, 'time_ms');
  return [
    {
      id,
      account,
      isLocal: row.get('host') === 'localhost',
      isIdle,
      isRunning: !isIdle && (command !== 'Connect' || isEvent),
      statementMilliseconds: isIdle ? undefined : milliseconds,
      transactionMilliseconds: isIdle && inTransaction.has(id) ? milliseconds : undefined,
      threadCpuMicroseconds: hasThread ? cpuOf(row, pid) : undefined,
      statement: row.get('info') ?? '',
      ...(isEvent ? { isEvent } : {}),
    },
  ];
}
