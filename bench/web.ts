/**
 * Requests through nginx and PHP-FPM with and without the file that limits tenants' entries, for
 * 1,000 vhosts of 1,000 tenants. Two servers that differ only in that file are asked in turn. Needs
 * root.
 */
import { execFile, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { processCpuMicroseconds } from '../src/sys/syscalls.ts';
import { freePort } from '../testing/free-port.ts';
import { eventually } from '../testing/patience.ts';
import { ensurePrerequisites } from '../testing/prerequisites.ts';
import { nginxEntriesFile } from '../src/web/core/entries/nginx-file.ts';
import { tenantMember } from '../src/usage/member.ts';
import type { NginxHttp } from '../src/web/core/nginx/http-level.ts';
import { findWebPrograms } from '../src/web/io/find-programs.ts';
import type { Bench } from './bench.ts';
import { compare, type Section } from './samples.ts';

const vhosts = 1_000;
const perCpuSample = 1_000;
const connections = 4;
/** The tenants' entries limits, all above `connections`, so nothing is refused. */
const limits = [20, 40, 60];

const http: NginxHttp = { user: 'www-data', given: [], accessLog: 'given', files: [] };
const run = promisify(execFile);

interface Server extends AsyncDisposable {
  readonly port: number;
  readonly worker: number;
}

/** The result of one run of wrk, and the CPU time that the worker needed for it. */
interface Sample {
  /** Milliseconds of CPU for 1,000 requests. */
  readonly cpu: number;
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
}

export async function benchWeb({ directory, quick, signal }: Bench): Promise<Section> {
  const title = `requests through nginx, ${vhosts} vhosts of as many tenants`;
  const section = { name: 'web', title, beside: 'without entries' };
  const ready = await ensurePrerequisites('web', () => {});
  if (!ready.ok) return { ...section, rows: [], notes: [ready.reason] };
  const root = `${directory}/web`;
  mkdirSync(`${root}/www`, { recursive: true });
  for (const each of [directory, root, `${root}/www`]) chmodSync(each, 0o755);
  writeFileSync(`${root}/www/index.php`, '<?php echo "ok";');
  writeFileSync(`${root}/www/file.css`, 'a { color: red }\n'.repeat(100));
  await using fpm = await startFpm(root);
  void fpm;
  await using without = await startNginx(root, 'without', '');
  await using held = await startNginx(root, 'with', entriesText(root));
  const seconds = quick ? 1 : 3;
  const rounds = quick ? 3 : 15;
  const rows = [];
  const notes = [];
  for (const [label, path] of [
    ['static', '/file.css'],
    ['PHP', '/page'],
  ] as const) {
    const ours: Sample[] = [];
    const floor: Sample[] = [];
    for (let round = -1; round < rounds; round++) {
      for (const [server, into] of [
        [held, ours],
        [without, floor],
      ] as const) {
        signal.throwIfAborted();
        const sample = await ask(server, path, seconds);
        if (round >= 0) into.push(sample);
      }
    }
    const of = (key: keyof Sample) => [ours, floor].map((all) => all.map((each) => each[key]));
    for (const [what, key] of [
      [`${label}, CPU of nginx for ${perCpuSample}`, 'cpu'],
      [`${label}, p50 of ${connections} at once`, 'p50'],
      [`${label}, p99`, 'p99'],
    ] as const)
      rows.push(compare(what, of(key)[0] ?? [], of(key)[1] ?? []));
    const [mine, theirs] = of('perSecond').map((all) => Math.round(median(all)));
    notes.push(`${label}: ${mine} requests a second with entries, ${theirs} without`);
    const [more = NaN, less = NaN] = of('cpu').map(median);
    // Milliseconds for 1,000 requests are microseconds for one.
    notes.push(`${label}: ${(more - less).toFixed(2)} µs of CPU more a request`);
  }
  return { ...section, rows, notes };
}

const median = (all: readonly number[]) => all.toSorted((a, b) => a - b)[all.length >> 1] ?? NaN;

const boundOf = (uid: number, limit: number) => ({
  kind: 'tenant' as const,
  member: tenantMember(uid),
  limit,
});

function entriesText(root: string): string {
  const sites = Array.from({ length: vhosts }, (_, index) => ({
    name: `site${index}.example`,
    uid: 100_000 + index,
    bounds: [boundOf(100_000 + index, limits[index % limits.length] ?? 20)],
    counts: {
      rules: [{ pattern: String.raw`\.php$`, caseless: false, verdict: 'counts' as const }],
      rest: 'free' as const,
    },
  }));
  return nginxEntriesFile(sites, http, { socket: `${root}/web.sock`, defaultLog: undefined });
}

async function startNginx(root: string, name: string, entries: string): Promise<Server> {
  const port = await freePort();
  const file = `${root}/${name}.conf`;
  const servers = Array.from(
    { length: vhosts },
    (_, index) => `server {
  listen 127.0.0.1:${port}; server_name site${index}.example; root ${root}/www;
  location / { try_files $uri /index.php; }
  location ~ \\.php$ {
    fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
    fastcgi_param REQUEST_METHOD $request_method;
    fastcgi_pass unix:${root}/php.sock;
  }
}`,
  );
  writeFileSync(
    file,
    `user www-data; worker_processes 1; daemon off; pid ${root}/${name}.pid; error_log ${root}/${name}.log;
events { worker_connections 256; }
http { server_names_hash_max_size 4096; include /etc/nginx/mime.types; access_log /dev/null;
${entries}
${servers.join('\n')}
}
`,
  );
  const child = spawn('/usr/sbin/nginx', ['-c', file], { stdio: 'inherit' });
  const worker = await eventually(`nginx ${name} has a worker`, () => {
    const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
    return /^(\d+)/.exec(children)?.[1];
  });
  return { port, worker: Number(worker), [Symbol.asyncDispose]: () => ended(child) };
}

async function startFpm(root: string): Promise<AsyncDisposable> {
  const [fpm] = findWebPrograms().fpm;
  if (fpm === undefined) throw new Error('there is no php-fpm');
  writeFileSync(
    `${root}/fpm.conf`,
    `[global]
error_log = ${root}/fpm.log
daemonize = no
[www]
user = www-data
group = www-data
listen = ${root}/php.sock
listen.mode = 0666
pm = static
pm.max_children = ${connections}
`,
  );
  const child = spawn(fpm.program, ['-F', '-y', `${root}/fpm.conf`], { stdio: 'ignore' });
  return { [Symbol.asyncDispose]: () => Promise.resolve(ended(child)) };
}

export function ended(child: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    if (child.exitCode !== null || !child.kill('SIGTERM')) resolve();
  });
}

async function ask({ port, worker }: Server, path: string, seconds: number): Promise<Sample> {
  const before = cpuMilliseconds(worker);
  const words = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency'];
  // The host is one of the last names: a table of names is not faster for it, a list would be
  // slower.
  const host = ['-H', `Host: site${vhosts - 1}.example`];
  const { stdout } = await run('wrk', [...words, ...host, `http://127.0.0.1:${port}${path}`]);
  if (/Non-2xx/.test(stdout)) throw new Error(`nginx refused requests: ${stdout}`);
  const used = cpuMilliseconds(worker) - before;
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  return {
    cpu: (used / requests) * perCpuSample,
    p50: latency(stdout, 50),
    p99: latency(stdout, 99),
    perSecond: Number(/Requests\/sec: +([\d.]+)/.exec(stdout)?.[1]),
  };
}

const cpuMilliseconds = (pid: number) => (processCpuMicroseconds(pid) ?? NaN) / 1000;

/** Returns milliseconds from a line of wrk such as `     50%  123.00us`. */
export function latency(text: string, percent: number): number {
  const match = new RegExp(`^ +${percent}% +([\\d.]+)(us|ms|s)$`, 'm').exec(text);
  const scale = { us: 0.001, ms: 1, s: 1_000 }[match?.[2] ?? ''] ?? NaN;
  return Number(match?.[1]) * scale;
}
