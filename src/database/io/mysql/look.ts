/**
 * MySQL and Percona Server: accounts' use by the Performance Schema, the connections, and the CPU time of their threads.
 * Source: MySQL Reference Manual 8.0 and 8.4, "Statement Summary Tables", "The threads Table", "The events_statements_current
 * Table". Times there are in picoseconds.
 */
import { ok, type Result } from '../../../../packages/base/result.ts';
import { serverProcess } from '../../../host/databases/server-process.ts';
import { processCpuMicroseconds } from '../../../sys/syscalls.ts';
import type { Look } from '../../core/look.ts';
import { rowsMax, type Row } from '../../core/protocol/reply.ts';
import { consumer } from '../../core/rights/mysql/sql.ts';
import { Sessions, type ListedSession } from '../../core/use/sessions.ts';
import type { DatabaseConnection, DatabaseProblem } from '../client/connect.ts';
import { threadCpuMicroseconds } from '../mariadb/threads.ts';
import type { DatabaseServer, Sight } from '../server.ts';

const summary = 'events_statements_summary_by_user_by_event_name';

const settingsSql = `SELECT VERSION() AS version, @@version_comment AS edition, @@performance_schema AS schema_on,
  (SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'performance_schema' AND table_name = '${summary}'
    AND column_name = 'SUM_CPU_TIME') AS has_cpu,
  (SELECT ENABLED FROM performance_schema.setup_consumers WHERE NAME = '${consumer}') AS counts`;

/** A routine's call includes the CPU time of its statements. */
const accountsSql = `SELECT u.USER AS user, u.TOTAL_CONNECTIONS AS connections, s.cpu AS cpu, s.statements AS statements
  FROM performance_schema.users u LEFT JOIN (
    SELECT USER, SUM(SUM_CPU_TIME) AS cpu, SUM(COUNT_STAR) AS statements FROM performance_schema.${summary}
      WHERE EVENT_NAME NOT LIKE 'statement/sp/%' GROUP BY USER) s ON s.USER = u.USER
  WHERE u.USER IS NOT NULL ORDER BY s.cpu DESC LIMIT ${rowsMax}`;

const threadsSql = `SELECT t.TYPE AS type, t.PROCESSLIST_ID AS id, t.PROCESSLIST_USER AS user, t.CONNECTION_TYPE AS connection,
    t.PROCESSLIST_COMMAND AS command, t.PROCESSLIST_TIME * 1000 AS time_ms, s.TIMER_WAIT / 1000000000 AS statement_ms,
    t.THREAD_OS_ID AS tid, LEFT(t.PROCESSLIST_INFO, 200) AS info
  FROM performance_schema.threads t LEFT JOIN performance_schema.events_statements_current s
    ON s.THREAD_ID = t.THREAD_ID AND s.NESTING_EVENT_ID IS NULL AND s.END_EVENT_ID IS NULL LIMIT ${rowsMax}`;

const transactionsSql = `SELECT trx_mysql_thread_id AS id FROM information_schema.innodb_trx LIMIT ${rowsMax}`;

/** Asks a server what it shows. */
export async function openMysql(
  connection: DatabaseConnection,
): Promise<Result<DatabaseServer, DatabaseProblem>> {
  const rows = await connection.query(settingsSql);
  if (!rows.ok) return rows;
  const [row] = rows.value;
  const text = (name: string) => row?.get(name) ?? '';
  const isPercona = /percona/i.test(text('edition'));
  const hasCpu = text('has_cpu') === '1' && text('schema_on') === '1';
  const pid = serverProcess(connection.pid);
  const missing = [
    'whether its figures are right: this kind was not tried by us on a real server',
    ...(hasCpu
      ? []
      : ['the CPU time of statements: it needs MySQL 8.0.28 or later, with performance_schema']),
    ...(hasCpu && text('counts') !== 'YES'
      ? [`the CPU time of statements: ${consumer} is off; run "bulkhead db enable"`]
      : []),
    ...(pid === undefined ? ['the CPU time of threads: the process of the server is unknown'] : []),
  ];
  const version = `${isPercona ? 'Percona Server' : 'MySQL'} ${text('version')}`;
  return ok(new Mysql(connection, { version, pid, missing }, hasCpu && text('counts') === 'YES'));
}

class Mysql implements DatabaseServer {
  readonly connection: DatabaseConnection;
  readonly sight: Sight;
  readonly #isCounting: boolean;
  readonly #sessions = new Sessions();

  constructor(connection: DatabaseConnection, sight: Sight, isCounting: boolean) {
    this.connection = connection;
    this.sight = sight;
    this.#isCounting = isCounting;
  }

  async look(
    _only?: readonly string[],
    asksTransactions = true,
  ): Promise<Result<Look, DatabaseProblem>> {
    const counted = this.#isCounting ? await this.connection.query(accountsSql) : ok([]);
    if (!counted.ok) return counted;
    const open = asksTransactions ? await this.connection.query(transactionsSql) : ok([]);
    if (!open.ok) return open;
    const threads = await this.connection.query(threadsSql);
    if (!threads.ok) return threads;
    // The clock is the same in every process.
    const atMicroseconds = Number(process.hrtime.bigint()) / 1000;
    const { pid } = this.sight;
    const inTransaction = new Set(open.value.map((row) => row.get('id') ?? ''));
    const sessions = threads.value.flatMap((row) => sessionOf(row, pid, inTransaction));
    return ok({
      atMicroseconds,
      accounts: counted.value.map((row) => ({
        account: row.get('user') ?? '',
        cpuMicroseconds: numberOf(row, 'cpu') / 1e6,
        connections: numberOf(row, 'connections'),
        statements: numberOf(row, 'statements'),
      })),
      sessions: this.#sessions.follow(sessions, atMicroseconds),
      serverCpuMicroseconds: pid === undefined ? undefined : processCpuMicroseconds(pid),
      // Names of threads differ between versions, so the constants stay those of MariaDB.
      backgroundCpuMicroseconds: undefined,
      ...(counted.value.length === rowsMax ? { hasMoreAccounts: true } : {}),
      ...(threads.value.length === rowsMax ? { hasMoreSessions: true } : {}),
    });
  }
}

function numberOf(row: Row, column: string): number {
  const value = Number(row.get(column) ?? 0);
  return Number.isFinite(value) ? value : 0;
}

/** Clients that have not logged in yet, and the scheduler. */
const notAccounts: ReadonlySet<string> = new Set([
  '',
  'unauthenticated user',
  'event_scheduler',
  'system user',
]);

function sessionOf(
  row: Row,
  pid: number | undefined,
  inTransaction: ReadonlySet<string>,
): readonly ListedSession[] {
  const account = row.get('user') ?? '';
  const command = row.get('command') ?? '';
  const id = numberOf(row, 'id');
  const isClient = row.get('type') === 'FOREGROUND' && id > 0 && command !== 'Daemon';
  if (!isClient || notAccounts.has(account)) return [];
  const isIdle = command === 'Sleep';
  const isRunning = !isIdle && command !== 'Connect';
  const milliseconds = numberOf(row, 'time_ms');
  const statement = row.get('statement_ms') ?? undefined;
  const tid = numberOf(row, 'tid');
  const hasThread = pid !== undefined && tid > 0;
  return [
    {
      id,
      account,
      isLocal: row.get('connection') === 'Socket',
      isIdle,
      isRunning,
      statementMilliseconds: isIdle ? undefined : Number(statement ?? milliseconds),
      transactionMilliseconds: isIdle && inTransaction.has(String(id)) ? milliseconds : undefined,
      threadCpuMicroseconds: hasThread ? threadCpuMicroseconds(pid, tid) : undefined,
      statement: row.get('info') ?? '',
    },
  ];
}
