/**
 * Real MariaDB servers for tests: each with a directory, a socket and an unprivileged account of its own. Needs root, and
 * Debian's `mariadb-server-core`.
 *
 *     const server = await startMariadb(suiteDirectory('look'));
 *     after(() => server.stop());
 *     await server.sql('CREATE DATABASE alice');
 */
import './guard/here.ts';
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Rows } from '../src/database/core/protocol/reply.ts';
import { connectDatabase, type DatabaseConnection } from '../src/database/io/client/connect.ts';
import { formatProblem } from '../packages/base/problem.ts';
import { endOf } from './end-of.ts';
import { eventually, patienceMilliseconds } from './patience.ts';

const program = '/usr/sbin/mariadbd';
const share = '/usr/share/mariadb';
/** No account of the host has it. */
const serverUid = 620_790;

/** The reason why no server can be started here, for `skip`. */
export const mariadbMissing: string | false =
  process.getuid?.() !== 0
    ? 'servers with an account of their own need root'
    : existsSync(program)
      ? false
      : `${program} is missing: apt-get install mariadb-server-core`;

/** It ends with this process, however that ends. */
const as = ['--pdeathsig=KILL', `--reuid=${serverUid}`, `--regid=${serverUid}`, '--clear-groups'];

/** Smaller and faster to start than the defaults. */
const small = [
  '--no-defaults',
  '--skip-networking',
  '--skip-name-resolve',
  '--innodb-log-file-size=8M',
  '--innodb-buffer-pool-size=64M',
  '--innodb-flush-log-at-trx-commit=2',
  `--lc-messages-dir=${share}`,
  `--character-sets-dir=${share}/charsets`,
];

export class MariadbServer implements AsyncDisposable {
  readonly directory: string;
  /** Clients of any account reach it. */
  readonly socket: string;
  readonly uid = serverUid;
  readonly #options: readonly string[];
  #child: ChildProcess | undefined;
  #connection: DatabaseConnection | undefined;
  #output = '';

  constructor(directory: string, options: readonly string[]) {
    this.directory = directory;
    this.socket = join(directory, 'mysqld.sock');
    this.#options = options;
  }

  /** The pid of the server, not of a program that started it. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** The lines that the server has logged so far. */
  get output(): string {
    return this.#output;
  }

  /** Starts the server, also again after it was stopped, and waits until it answers. */
  async start(more: readonly string[] = []): Promise<void> {
    this.#child = this.#spawn([...this.#options, ...more]);
    const child = this.#child;
    await eventually(
      'the database server answers',
      async () => {
        if (child.exitCode !== null) throw new Error(`the server has ended:\n${this.#output}`);
        const opened = await connectDatabase(this.socket, { user: 'root' });
        if (opened.ok) opened.value.close();
        return opened.ok;
      },
      () => this.#output,
    );
  }

  /** Fills the data directory. */
  async install(): Promise<void> {
    chmodSync(this.directory, 0o755);
    const data = join(this.directory, 'data');
    mkdirSync(data, { recursive: true });
    chownSync(data, serverUid, serverUid);
    chownSync(this.directory, serverUid, serverUid);
    const child = this.#spawn(['--bootstrap']);
    child.stdin?.end(systemTables());
    if ((await endOf(child)) !== 0)
      throw new Error(`the system tables cannot be made:\n${this.#output}`);
  }

  #spawn(more: readonly string[]): ChildProcess {
    // A server that starts removes the temporary tables of others in its directory for them.
    const own = [
      `--datadir=${this.directory}/data`,
      `--tmpdir=${this.directory}/data`,
      `--socket=${this.socket}`,
    ];
    const pidFile = `--pid-file=${this.directory}/pid`;
    // setpriv replaces itself, so its pid is the server's.
    const args = [...as, program, ...small, ...own, pidFile, ...more];
    // Ctrl-C is for this process.
    const child = spawn('setpriv', args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    return child;
  }

  /** Runs a statement as root, or as a user without a password. */
  async sql(statement: string, user = 'root'): Promise<Rows> {
    if (user !== 'root') {
      const connection = await this.connect(user);
      try {
        return await rowsOf(connection, statement);
      } finally {
        connection.close();
      }
    }
    if (this.#connection?.isOpen !== true) this.#connection = await this.connect();
    return rowsOf(this.#connection, statement);
  }

  /** Returns a connection whose statements may take as long as they need. */
  async connect(user = 'root'): Promise<DatabaseConnection> {
    const patient = { replyMilliseconds: patienceMilliseconds };
    const opened = await connectDatabase(this.socket, { user }, patient);
    if (!opened.ok) throw new Error(formatProblem(opened.error));
    return opened.value;
  }

  /** Ends the server and waits for its end. A stopped one (SIGSTOP) needs SIGKILL. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#connection?.close();
    this.#connection = undefined;
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    child.kill(signal);
    await endOf(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function rowsOf(connection: DatabaseConnection, statement: string): Promise<Rows> {
  const rows = await connection.query(statement);
  if (!rows.ok) throw new Error(`${formatProblem(rows.error)}\n${statement}`);
  return rows.value;
}

/** Root logs in by its process, as with Debian's packages. */
function systemTables(): string {
  const files = ['system_tables', 'performance_tables', 'system_tables_data'];
  const begin =
    "CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket='root';\nSET @skip_auth_anonymous=1;\n";
  return begin + files.map((each) => readFileSync(`${share}/mariadb_${each}.sql`, 'utf8')).join('');
}

/** Installs and starts a server in an empty directory that every account may enter. */
export async function startMariadb(
  directory: string,
  options: readonly string[] = [],
): Promise<MariadbServer> {
  const server = new MariadbServer(directory, options);
  await server.install();
  await server.start();
  return server;
}
