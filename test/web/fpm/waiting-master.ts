/** A real php-fpm with one pool, whose script waits where it is asked with `wait`, until `open`. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { eventually } from '../../../testing/patience.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';
import { askFastCgi } from '../../jail/fastcgi.ts';
import { fpm } from './stage.ts';

interface WaitingPool {
  readonly manager: 'static' | 'ondemand';
  readonly workers: number;
  /** Lines of the pool, each with its end. */
  readonly more?: string;
}

export class WaitingMaster implements AsyncDisposable {
  readonly #directory = temporaryDirectory('fpm-waiting', tmpdir(), 0o755);
  readonly #at = this.#directory.path;
  readonly #socket = `${this.#at}/socket`;
  readonly #child: ChildProcess;
  readonly script = `${this.#at}/a.php`;

  constructor({ manager, workers, more = '' }: WaitingPool) {
    const at = this.#at;
    const pool = `[a]\nuser = 64430\ngroup = 64430\nlisten = ${this.#socket}\npm = ${manager}\npm.max_children = ${workers}\n${more}`;
    writeFileSync(`${at}/conf`, `[global]\nerror_log = ${at}/log\n${pool}`);
    writeFileSync(
      this.script,
      `<?php for (; isset($_GET['wait']) && !file_exists('${at}/open'); clearstatcache()) usleep(50000);`,
    );
    this.#child = spawn(fpm.program, ['--nodaemonize', '--fpm-config', `${at}/conf`], {
      stdio: 'ignore',
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async listens(): Promise<void> {
    await eventually('it listens', () => existsSync(this.#socket));
  }

  ask(query: string, parameters: Readonly<Record<string, string>> = {}) {
    return askFastCgi(this.#socket, {
      SCRIPT_FILENAME: this.script,
      REQUEST_METHOD: 'GET',
      QUERY_STRING: query,
      ...parameters,
    });
  }

  open(): void {
    writeFileSync(`${this.#at}/open`, '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Its workers end with it.
    this.#child.kill('SIGTERM');
    await once(this.#child, 'exit');
    this.#directory.remove();
  }
}
