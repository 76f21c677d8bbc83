/**
 * PostgreSQL: the connections, and the CPU time of their processes. Source: PostgreSQL's manual, "The Cumulative Statistics
 * System", "pg_stat_activity".
 */
import { ok, type Result } from '../../../../packages/base/result.ts';
import { serverProcess } from '../../../host/databases/server-process.ts';
import type { Look } from '../../core/look.ts';
import { rowsMax, type Row } from '../../core/protocol/reply.ts';
import { Backends, type ListedBackend } from '../../core/use/backends.ts';
import type { DatabaseConnection, DatabaseProblem } from '../client/connect.ts';
import type { DatabaseServer, Sight } from '../server.ts';
import { processMicroseconds, serverMicroseconds, sharesPids } from './processes.ts';

/** The first release that tells which process helps which. */
const withLeaders = 130_000;
const statementBytesMax = 400;
const statementMax = 200;

const settingsSql = `SELECT current_setting('server_version_num') AS version,
  current_setting('track_activities') AS tracks, pg_has_role('pg_read_all_stats', 'USAGE') AS reads`;

/** Asks a server what it shows. */
export async function openPostgresql(
  connection: DatabaseConnection,
): Promise<Result<DatabaseServer, DatabaseProblem>> {
  const settings = await connection.query(settingsSql);
  if (!settings.ok) return settings;
  const [row] = settings.value;
  const version = Number(row?.get('version'));
  const pid = serverProcess(connection.pid);
  const isReadable = pid !== undefined && processMicroseconds(pid) !== undefined;
  const isCounting = isReadable && sharesPids(pid);
  const missing = [
    isCounting
      ? 'the CPU time of connections that end within a second: PostgreSQL does not count what accounts use'
      : isReadable
        ? 'the CPU time of connections: the server is in a container, which numbers its processes itself'
        : 'the CPU time of connections: the process of the server is unknown, or /proc hides it (hidepid)',
    ...(row?.get('tracks') === 'on' ? [] : ['what connections do: track_activities is off']),
    ...(row?.get('reads') === 't'
      ? []
      : ['what the connections of other roles do: run "bulkhead db enable"']),
    ...(version >= withLeaders
      ? []
      : ['which statement parallel processes work for: it is older than PostgreSQL 13']),
  ];
  return ok(
    new Postgresql(connection, { version: connection.version, pid, missing }, version, isCounting),
  );
}

/** Texts are cut as bytes: a function for texts could fail by one that is not valid in this database's encoding. */
const backendsSql = (
  version: number,
) => `SELECT pid, extract(epoch FROM backend_start) AS began, usename AS account,
    backend_type AS type, ${version >= withLeaders ? 'leader_pid' : 'NULL'} AS leader, state,
    client_port = -1 AS is_local, extract(epoch FROM query_start) AS statement_began,
    extract(epoch FROM clock_timestamp() - query_start) * 1000 AS statement_ms,
    extract(epoch FROM clock_timestamp() - state_change) * 1000 AS state_ms,
    encode(substr(textsend(query), 1, ${statementBytesMax}), 'hex') AS statement
  FROM pg_stat_activity WHERE usename IS NOT NULL LIMIT ${rowsMax}`;

class Postgresql implements DatabaseServer {
  readonly connection: DatabaseConnection;
  readonly sight: Sight;
  readonly #sql: string;
  readonly #isCounting: boolean;
  readonly #backends = new Backends();

  constructor(connection: DatabaseConnection, sight: Sight, version: number, isCounting: boolean) {
    this.connection = connection;
    this.sight = sight;
    this.#sql = backendsSql(version);
    this.#isCounting = isCounting;
  }

  async look(): Promise<Result<Look, DatabaseProblem>> {
    const listed = await this.connection.query(this.#sql);
    if (!listed.ok) return listed;
    // The clock is the same in every process.
    const atMicroseconds = Number(process.hrtime.bigint()) / 1000;
    const { pid } = this.sight;
    const backends = listed.value.map((row) => backendOf(row, this.#isCounting));
    const isWhole = listed.value.length < rowsMax;
    const { sessions, accounts } = this.#backends.follow(backends, isWhole);
    return ok({
      atMicroseconds,
      sessions,
      // A list without accounts says that nothing is known of them.
      accounts: this.#isCounting ? accounts : [],
      serverCpuMicroseconds: pid === undefined ? undefined : serverMicroseconds(pid),
      // No constants are to be learnt: what processes use is all that connections and statements take.
      backgroundCpuMicroseconds: undefined,
      ...(isWhole ? {} : { hasMoreSessions: true }),
    });
  }
}

const running: ReadonlySet<string> = new Set(['active', 'fastpath function call']);

function backendOf(row: Row, hasProcesses: boolean): ListedBackend {
  const pid = amountOf(row, 'pid') ?? 0;
  const state = row.get('state') ?? '';
  const isRunning = running.has(state);
  const statement = isRunning || state.startsWith('idle in transaction') ? statementOf(row) : '';
  return {
    pid,
    began: row.get('began') ?? '',
    account: row.get('account') ?? '',
    leader: amountOf(row, 'leader'),
    statementBegan: row.get('statement_began') ?? '',
    cpuMicroseconds: hasProcesses ? processMicroseconds(pid) : undefined,
    session:
      row.get('type') === 'client backend'
        ? {
            isLocal: row.get('is_local') === 't',
            isRunning,
            statementMilliseconds: isRunning ? amountOf(row, 'statement_ms') : undefined,
            transactionMilliseconds: state.startsWith('idle in transaction')
              ? amountOf(row, 'state_ms')
              : undefined,
            statement,
          }
        : undefined,
  };
}

const statementOf = (row: Row) =>
  new TextDecoder().decode(Buffer.from(row.get('statement') ?? '', 'hex')).slice(0, statementMax);

/** Returns a number of zero or more. A clock that was set back shows less than that. */
function amountOf(row: Row, column: string): number | undefined {
  const text = row.get(column);
  const value = text === null || text === undefined ? Number.NaN : Number(text);
  return Number.isFinite(value) ? Math.max(0, value) : undefined;
}
