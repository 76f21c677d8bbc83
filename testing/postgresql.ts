/**
 * Real PostgreSQL servers for tests: each with a directory and a socket of its own, as the account `postgres`. Needs root,
 * and Debian's `postgresql`.
 *
 *     const server = await startPostgresql(suiteDirectory('look'));
 *     after(() => server.stop());
 *     await server.sql('CREATE ROLE alice_1 LOGIN');
 */
import './guard/here.ts';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parsePasswd } from '../src/host/accounts/accounts.ts';
import { readText } from '../packages/base/io/read.ts';
import { formatProblem } from '../packages/base/problem.ts';
import type { Rows } from '../src/database/core/protocol/reply.ts';
import { connectDatabase, type DatabaseConnection } from '../src/database/io/client/connect.ts';
import { endOf } from './end-of.ts';
import { eventually, patienceMilliseconds } from './patience.ts';

const account = parsePasswd(readText('/etc/passwd') ?? '').find(({ user }) => user === 'postgres');
const versionsDirectory = '/usr/lib/postgresql';

/** The directory of the newest version's programs. */
export const postgresqlPrograms: string | undefined = versions()
  .map((version) => `${versionsDirectory}/${version}/bin`)
  .at(-1);

function versions(): readonly string[] {
  try {
    return readdirSync(versionsDirectory).toSorted((a, b) => Number(a) - Number(b));
  } catch {
    return [];
  }
}

/** The reason why no server can be started here, for `skip`. */
export const postgresqlMissing: string | false =
  process.getuid?.() !== 0
    ? 'servers with an account of their own need root'
    : account === undefined || postgresqlPrograms === undefined
      ? `${versionsDirectory} or the account postgres is missing: apt-get install postgresql`
      : false;

/** Its account and two more log in by their processes, tenants by passwords. */
const defaultRules = `local all postgres peer
local all bulkhead-db peer
local all nobody peer
local all all scram-sha-256
`;

const small = {
  listen_addresses: '',
  shared_buffers: '32MB',
  fsync: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  max_connections: '30',
  log_min_messages: 'warning',
} as const;

export class PostgresqlServer implements AsyncDisposable {
  readonly directory: string;
  readonly socket: string;
  readonly uid = account?.uid ?? 0;
  readonly gid = account?.gid ?? 0;
  readonly #options: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #connection: DatabaseConnection | undefined;
  #output = '';

  constructor(directory: string, options: Readonly<Record<string, string>>) {
    this.directory = directory;
    this.socket = join(directory, '.s.PGSQL.5432');
    this.#options = options;
  }

  /** The pid of the server's first process. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get output(): string {
    return this.#output;
  }

  get #data(): string {
    return join(this.directory, 'data');
  }

  /** Fills the data directory. */
  install(): void {
    chmodSync(this.directory, 0o755);
    chownSync(this.directory, this.uid, this.gid);
    mkdirSync(this.#data, { mode: 0o700 });
    chownSync(this.#data, this.uid, this.gid);
    const options = ['-U', 'postgres', '-E', 'UTF8', '--no-locale', '--no-sync', '-A', 'peer'];
    const { status, stdout, stderr } = spawnSync(
      `${postgresqlPrograms}/initdb`,
      ['-D', this.#data, ...options],
      { uid: this.uid, gid: this.gid, encoding: 'utf8', cwd: '/', timeout: patienceMilliseconds },
    );
    if (status !== 0) throw new Error(`initdb fails:\n${stdout}${stderr}`);
    this.allow(defaultRules);
  }

  /** Writes pg_hba.conf, which the server reads when it starts or gets SIGHUP. */
  allow(rules: string): void {
    writeFileSync(join(this.#data, 'pg_hba.conf'), rules);
    if (this.#child?.pid !== undefined) process.kill(this.#child.pid, 'SIGHUP');
  }

  /** Adds rules after the default ones. */
  allowAlso(rules: string): void {
    this.allow(defaultRules + rules);
  }

  /** Starts the server, also again after it was stopped, and waits until it answers. */
  async start(more: Readonly<Record<string, string>> = {}): Promise<void> {
    const settings = {
      ...small,
      unix_socket_directories: this.directory,
      ...this.#options,
      ...more,
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const child = spawn(`${postgresqlPrograms}/postgres`, ['-D', this.#data, ...options], {
      uid: this.uid,
      gid: this.gid,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    await eventually(
      'the database server answers',
      async () => {
        if (child.exitCode !== null) throw new Error(`the server has ended:\n${this.#output}`);
        const opened = await this.#connect();
        if (opened.ok) opened.value.close();
        return opened.ok;
      },
      () => this.#output,
    );
  }

  #connect() {
    const options = { replyMilliseconds: patienceMilliseconds, asUid: this.uid };
    return connectDatabase(this.socket, { user: 'postgres' }, options);
  }

  /** Returns a connection of the superuser, or of a role with its password. Statements may take as long as they need. */
  async connect(user = 'postgres', password?: string): Promise<DatabaseConnection> {
    const patient = { replyMilliseconds: patienceMilliseconds };
    const opened =
      password === undefined
        ? await this.#connect()
        : await connectDatabase(this.socket, { user, password }, patient);
    if (!opened.ok) throw new Error(formatProblem(opened.error));
    return opened.value;
  }

  /** Runs a statement as the superuser. */
  async sql(statement: string): Promise<Rows> {
    if (this.#connection?.isOpen !== true) this.#connection = await this.connect();
    const rows = await this.#connection.query(statement);
    if (!rows.ok) throw new Error(`${formatProblem(rows.error)}\n${statement}`);
    return rows.value;
  }

  /** Ends the server and waits for its end: SIGINT as in a restart, SIGQUIT at once. */
  async stop(signal: NodeJS.Signals = 'SIGQUIT'): Promise<void> {
    this.#connection?.close();
    this.#connection = undefined;
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    child.kill(signal);
    // A stopped one would never see the signal.
    child.kill('SIGCONT');
    await endOf(child);
    // A process of the server's that is left over would keep this one waiting by them.
    for (const stream of [child.stdout, child.stderr]) stream?.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Installs and starts a server in an empty directory that every account may enter. */
export async function startPostgresql(
  directory: string,
  options: Readonly<Record<string, string>> = {},
): Promise<PostgresqlServer> {
  const server = new PostgresqlServer(directory, options);
  server.install();
  await server.start();
  return server;
}
