/** nginx and PHP-FPM with configurations of their own, in a directory that is emptied after each test. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { SiteView } from '../../src/web/core/overview.ts';
import { findWebPrograms } from '../../src/web/io/find-programs.ts';
import type { WebPrograms } from '../../src/web/io/servers.ts';
import { eventually } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

export const uids = { owner: 64_420, other: 64_421, account: 64_422 };

export class WebStage {
  // Workers run as other users.
  readonly #scratch = temporaryDirectory('web-test', tmpdir(), 0o755);
  readonly directory = this.#scratch.path;
  readonly php = findWebPrograms().fpm[0] ?? { program: '', php: '', configuration: '' };
  #children: ChildProcess[] = [];
  #output = '';

  readonly at = (path: string): string => join(this.directory, path);

  write(path: string, text: string): string {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    writeFileSync(this.at(path), text);
    return this.at(path);
  }

  /** Makes a directory of the uid's with a page that prints which process made it. */
  documents(name: string, uid: number): string {
    const root = dirname(this.write(`${name}/index.php`, '<?php echo getmypid();'));
    chownSync(root, uid, uid);
    return root;
  }

  start(program: string, ...args: readonly string[]): void {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    this.#children.push(child);
  }

  /** Ends the servers, and removes their files. */
  async clear(): Promise<void> {
    const hasEnded = ({ exitCode, signalCode }: ChildProcess) =>
      exitCode !== null || signalCode !== null;
    for (const child of this.#children) child.kill('SIGTERM');
    await eventually(
      'every server has ended',
      () => this.#children.every(hasEnded),
      () => this.#output,
    );
    this.#children = [];
    this.#output = '';
    this.#scratch.remove();
    mkdirSync(this.directory, { mode: 0o755 });
  }

  remove(): void {
    this.#scratch.remove();
  }

  /** Started as it is, and asked with `-T`. */
  programs(): WebPrograms {
    return {
      nginx: {
        program: '/usr/sbin/nginx',
        args: ['-c', this.at('nginx.conf')],
        directory: this.directory,
      },
      fpm: [{ ...this.php, configuration: this.at('fpm.conf') }],
    };
  }

  writeNginx(http = ''): void {
    this.write(
      'nginx.conf',
      `user www-data;
worker_processes 1;
pid ${this.at('nginx.pid')};
error_log ${this.at('error.log')};
daemon off;
events { worker_connections 64; }
http {
  access_log ${this.at('access.log')};
  ${http}
  include ${this.at('sites')}/*.conf;
}
`,
    );
  }

  /** `more` is of the global section. */
  writeFpm(more = ''): void {
    this.write(
      'fpm.conf',
      `[global]
error_log = ${this.at('fpm.log')}
daemonize = no
include = ${this.at('pools')}/*.conf
${more}`,
    );
  }

  pool(name: string, user: number | string, group: number | string = user): string {
    return `[${name}]
user = ${user}
group = ${group}
listen = ${this.at(`${name}.sock`)}
listen.mode = 0666
pm = static
pm.max_children = 2
`;
  }

  /** Returns the pid of the worker that answers, once one does. */
  ask(name: string, port: number): Promise<number> {
    return eventually(
      `${name} is served`,
      async () => {
        const text = await get(port, name);
        return /^\d+$/.test(text) ? Number(text) : undefined;
      },
      () => this.#output,
    );
  }
}

export const phpVhost = (name: string, port: number, root: string, socket: string) => `server {
  listen 127.0.0.1:${port};
  server_name ${name};
  root ${root};
  location / {
    fastcgi_param SCRIPT_FILENAME $document_root/index.php;
    fastcgi_param REQUEST_METHOD $request_method;
    fastcgi_pass unix:${socket};
  }
}
`;

export function siteNamed(sites: readonly SiteView[], name: string): SiteView {
  const found = sites.find(({ names }) => names.includes(name));
  assert.ok(found, name);
  return found;
}

function get(port: number, host: string): Promise<string> {
  return new Promise((resolve) => {
    const call = request({ host: '127.0.0.1', port, path: '/', headers: { host } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve(text));
      response.on('error', () => resolve(''));
    });
    call.on('error', () => resolve(''));
    call.end();
  });
}
