/** An application behind a socket, as systemd and the launcher start it, with the account of the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { compileWithEntry } from '../../scripts/entry.ts';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

export const servingSkip = existsSync('/usr/bin/gcc') ? false : 'needs /usr/bin/gcc';

/** An application as its author wrote it, for a port. */
export const express = `const http = require('node:http');
const log = require('node:fs').appendFileSync;
http.createServer((req, res) => {
  if (req.url === '/exit') process.exit(7);
  if (req.url === '/abort') process.abort();
  if (req.url === '/env') return res.end(JSON.stringify(process.env));
  if (req.url === '/big') return res.end('x'.repeat(3000000));
  if (req.url === '/hang') return;
  if (req.url === '/refuse') { res.writeHead(413, {connection: 'close'}); return res.end('no'); }
  let text = ''; req.on('data', (d) => text += d); req.on('end', () => res.end('hello ' + text.length));
}).listen(process.env.PORT || 3000, () => console.log('listening at', process.env.PORT));
`;

/** The same for `place`, with a request that keeps it busy until a file `go` is in its home, and one waiting visitor. */
export const busyAt = (place: 'path' | 'port'): string =>
  express
    .replace(
      "if (req.url === '/exit')",
      "if (req.url === '/block') { log('blocked', ''); while (!require('node:fs').existsSync('go')); }\n$&",
    )
    .replace(
      'listen(process.env.PORT || 3000,',
      `listen({ ${place}: process.env.PORT, backlog: 1 },`,
    );

/** Listens, and becomes the program with that socket as descriptor 3. */
const listener = `use Socket; use POSIX; $^F = 9; my $path = shift;
socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; bind($s, sockaddr_un("$path.new")) or die; listen($s, 99) or die; rename("$path.new", $path) or die;
dup2(fileno($s), 3) or die; exec @ARGV or die`;

export interface ServingOptions {
  /** `private`: as `port`, for processes of the same account only. */
  readonly takes?: 'port' | 'descriptor' | 'tcp' | 'private';
  readonly idleSeconds?: number;
  readonly environment?: string;
  /** The account that owns the program; absent if the test's account does. */
  readonly account?: { readonly uid: number; readonly name: string };
  /** Whether visitors wait for a second only. */
  readonly isImpatient?: boolean;
}

export class Serving implements AsyncDisposable {
  readonly #scratch = temporaryDirectory('app');
  readonly socket = `${this.#scratch.path}/visitors`;
  readonly home = this.#scratch.path;
  process: ChildProcess | undefined;
  stderr = '';

  /** Starts the program; a second start is what systemd does with the next request. */
  start(command: readonly string[], options: ServingOptions = {}): void {
    const {
      takes = 'port',
      idleSeconds = 0,
      environment = '-',
      isImpatient = false,
      account,
    } = options;
    const program = compileWithEntry(`test/app/${isImpatient ? 'impatient' : 'serving'}.c`);
    const args = [program, 'blog', `${idleSeconds}`, takes, environment, ...command];
    const user = account && { USER: account.name };
    const env = { HOME: this.home, PATH: '/usr/bin:/bin', ...user };
    const as = account && { uid: account.uid, gid: account.uid };
    if (account !== undefined) chownSync(this.home, account.uid, account.uid);
    const words = ['-e', listener, this.socket, ...args];
    const stdio = ['ignore', 'pipe', 'pipe'] as const;
    const child = spawn('perl', words, { env, cwd: this.home, stdio: [...stdio], ...as });
    this.process = child;
    child.stderr?.on('data', (data: Buffer) => (this.stderr += data.toString()));
  }

  /** Writes a script into the home, and returns the command that runs it with this Node. */
  script(text: string): readonly string[] {
    const path = `${this.home}/app.cjs`;
    writeFileSync(path, text);
    return [process.execPath, path];
  }

  async listening(): Promise<void> {
    await until(() => existsSync(this.socket));
  }

  /** Returns the status and the body. */
  async get(path = '/', body = ''): Promise<string> {
    await this.listening();
    return new Promise((resolve, reject) => {
      const method = body === '' ? 'GET' : 'POST';
      const options = { socketPath: this.socket, path, method, agent: false };
      const asked = request(options, (response) => {
        let text = '';
        response.on('data', (data: Buffer) => (text += data.toString()));
        response.on('end', () => resolve(`${response.statusCode} ${text}`));
        response.on('error', reject);
      });
      asked.on('error', reject);
      asked.end(body);
    });
  }

  async open() {
    await this.listening();
    const socket = connect(this.socket);
    await once(socket, 'connect');
    return socket;
  }

  log(name = 'blog.log'): string {
    return readFileSync(`${this.home}/.bulkhead/${name}`, 'utf8');
  }

  /** Returns the exit status. */
  async ended(): Promise<number | null> {
    const child = this.process;
    if (child === undefined) return null;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process?.kill('SIGTERM');
    await this.ended();
    this.#scratch.remove();
  }
}

export async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + patienceMilliseconds;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`Not in time: ${holds.toString()}`);
    await sleep(20);
  }
}
