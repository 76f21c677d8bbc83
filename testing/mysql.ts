/**
 * Real MySQL servers of Oracle or Percona for tests, where one is installed: Debian has none. Needs root.
 */
import './guard/here.ts';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync } from 'node:fs';
import { join } from 'node:path';
import { formatProblem } from '../packages/base/problem.ts';
import type { Rows } from '../src/database/core/protocol/reply.ts';
import { connectDatabase, type DatabaseConnection } from '../src/database/io/client/connect.ts';
import { endOf } from './end-of.ts';
import { eventually, patienceMilliseconds } from './patience.ts';

/** No account of the host has it. */
const serverUid = 620_791;
const program = '/usr/sbin/mysqld';

/** The reason why no server can be started here, for `skip`. */
export const mysqlMissing: string | false = missing();

function missing(): string | false {
  if (process.getuid?.() !== 0) return 'servers with an account of their own need root';
  const { status, stdout } = spawnSync(program, ['--no-defaults', '--version'], {
    encoding: 'utf8',
  });
  if (status !== 0) return `${program} of MySQL or Percona Server is not installed`;
  return /mariadb/i.test(stdout) ? `${program} is MariaDB` : false;
}

export class MysqlServer {
  readonly directory: string;
  readonly socket: string;
  readonly uid = serverUid;
  #child: ChildProcess | undefined;
  #output = '';

  constructor(directory: string) {
    this.directory = directory;
    this.socket = join(directory, 'mysqld.sock');
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    chmodSync(this.directory, 0o755);
    chownSync(this.directory, serverUid, serverUid);
    const own = ['--no-defaults', `--datadir=${this.directory}/data`];
    const as = { uid: serverUid, gid: serverUid, cwd: '/' };
    execFileSync(program, [...own, '--initialize-insecure'], as);
    const child = spawn(
      program,
      [
        ...own,
        `--socket=${this.socket}`,
        `--pid-file=${this.directory}/pid`,
        '--skip-networking',
        '--mysqlx=OFF',
        '--plugin-load-add=auth_socket.so',
      ],
      { ...as, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
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

  async connect(user = 'root', password = ''): Promise<DatabaseConnection> {
    const patient = { replyMilliseconds: patienceMilliseconds };
    const opened = await connectDatabase(this.socket, { user, password }, patient);
    if (!opened.ok) throw new Error(formatProblem(opened.error));
    return opened.value;
  }

  async sql(statement: string): Promise<Rows> {
    const connection = await this.connect();
    try {
      const rows = await connection.query(statement);
      if (!rows.ok) throw new Error(`${formatProblem(rows.error)}\n${statement}`);
      return rows.value;
    } finally {
      connection.close();
    }
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGKILL');
    await endOf(child);
  }
}
