/** Real database servers in directories of a test, and an /etc that names their sockets. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  globSync,
  mkdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { parsePasswd } from '../../../src/host/accounts/accounts.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { eventually } from '../../../testing/patience.ts';

const programIn = (...patterns: readonly string[]): string | undefined =>
  [...patterns, ...(process.env['PATH'] ?? '').split(':').map((each) => `${each}/mariadbd`)]
    .slice(0, patterns.length)
    .flatMap((pattern) => globSync(pattern))
    .sort()
    .at(-1);

const inPath = (name: string): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(':')
    .map((each) => join(each, name))
    .find((each) => existsSync(each));

export const mariadb = inPath('mariadbd') ?? programIn('/usr/sbin/mariadbd');
export const postgres = programIn('/usr/lib/postgresql/*/bin/postgres');
export const postgresAccount = parsePasswd(readText('/etc/passwd') ?? '').find(
  ({ user }) => user === 'postgres',
);

/** A server that is started, killed and started again. */
export class Server implements AsyncDisposable {
  readonly socket: string;
  readonly #command: readonly string[];
  #child: ChildProcess | undefined;
  #output = '';

  constructor(socket: string, command: readonly string[]) {
    this.socket = socket;
    this.#command = command;
  }

  /** Starts the server. One whose predecessor was killed ends at once while processes of that are left. */
  async start(): Promise<void> {
    this.#child = this.#spawn();
    await eventually(
      'it listens',
      () => {
        if (this.#child?.exitCode !== null) this.#child = this.#spawn();
        return this.#listens();
      },
      () => this.#output,
    );
  }

  #spawn(): ChildProcess {
    const [file = '', ...args] = this.#command;
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    return child;
  }

  /** The kernel's list has a listening socket with this path: flags 00010000. */
  #listens(): boolean {
    const table = readText('/proc/net/unix') ?? '';
    return table
      .split('\n')
      .some((line) => line.includes(' 00010000 ') && line.endsWith(this.socket));
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
  }
}

const as = (uid: number, gid: number) => [
  '/usr/bin/setpriv',
  '--reuid',
  `${uid}`,
  '--regid',
  `${gid}`,
  '--clear-groups',
];

/** Makes a directory that belongs to the server. */
export function directoryOf(path: string, uid: number, gid = uid, mode = 0o755): string {
  mkdirSync(path, { recursive: true });
  chmodSync(path, mode);
  chownSync(path, uid, gid);
  return path;
}

export function mariadbServer(program: string, socket: string, data: string, uid: number): Server {
  const share = join(dirname(dirname(program)), 'share/mysql');
  return new Server(socket, [
    ...as(uid, uid),
    program,
    '--no-defaults',
    '--skip-grant-tables',
    '--skip-networking',
    `--lc-messages-dir=${share}`,
    `--character-sets-dir=${share}/charsets`,
    `--plugin-dir=${data}`,
    `--datadir=${data}`,
    `--socket=${socket}`,
    `--pid-file=${dirname(socket)}/mysqld.pid`,
  ]);
}

export function postgresServer(
  program: string,
  socketDirectory: string,
  data: string,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): Server {
  const initdb = [...as(uid, gid), join(dirname(program), 'initdb'), '-D', data, '--no-sync'];
  const made = spawnSync(initdb[0] ?? '', initdb.slice(1), { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stdout + made.stderr);
  const options = ['-D', data, '-k', socketDirectory, '-c', 'listen_addresses=', '-p', '5432'];
  return new Server(`${socketDirectory}/.s.PGSQL.5432`, [...as(uid, gid), program, ...options]);
}

/** Writes an /etc with these accounts. Uids of tests are above those of people, so people begin higher. */
export function writeEtc(
  etc: string,
  uids: Readonly<Record<string, { readonly uid: number; readonly gid: number }>>,
  files: Readonly<Record<string, string>>,
): void {
  rmSync(etc, { recursive: true, force: true });
  const passwd = Object.entries(uids).map(
    ([user, { uid, gid }]) => `${user}:x:${uid}:${gid}::/:/bin/false`,
  );
  const all = { passwd: `${passwd.join('\n')}\n`, 'login.defs': 'UID_MIN 700000\n', ...files };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(etc, name)), { recursive: true });
    writeFileSync(join(etc, name), text);
  }
}
