/**
 * A quiet tenant's page while a noisy one computes: two PHP-FPMs, as services of tenants, behind
 * one nginx. Both run without limits, then in the cgroups of their tenants; the noisy one has as
 * many workers at work as it may have.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { freePort } from '../testing/free-port.ts';
import { eventually } from '../testing/patience.ts';
import { ensurePrerequisites } from '../testing/prerequisites.ts';
import { findWebPrograms } from '../src/web/io/find-programs.ts';
import type { Bench } from './bench.ts';
import { compare, type Section } from './samples.ts';
import { firstUid, instance, Scratch } from './scratch.ts';
import { ended, latency } from './web.ts';
import { compileExec } from '../scripts/entry.ts';

const run = promisify(execFile);
const launcher = compileExec();
/** Tenants of the policy of `Scratch`: one core and 100 processes each. */
const tenants = { quiet: firstUid + 1, noisy: firstUid + 2 } as const;
type Name = keyof typeof tenants;
const names = Object.keys(tenants) as readonly Name[];
/** Workers of the noisy tenant, all of them at work. */
const workers = 16;

const scripts: Readonly<Record<Name, string>> = {
  quiet: '<?php for ($i = 0; $i < 20000; $i++) md5((string) $i); echo "ok";',
  noisy: '<?php for ($i = 0; $i < 1000000; $i++) md5((string) $i); echo "ok";',
};

interface Sample {
  readonly p50: number;
  readonly p99: number;
}

export async function benchNeighbor({ directory, quick, signal }: Bench): Promise<Section> {
  const section = {
    name: 'neighbor',
    title: "a quiet tenant's page, asked by one client",
    beside: 'without limits',
  };
  const ready = await ensurePrerequisites('web', () => {});
  if (!ready.ok) return { ...section, rows: [], notes: [ready.reason] };
  const root = `${directory}/neighbor`;
  mkdirSync(root);
  for (const each of [directory, root]) chmodSync(each, 0o755);
  using scratch = new Scratch(directory, 10);
  scratch.apply();
  await using plain = await startServers(`${root}/plain`, plainly);
  await using held = await startServers(`${root}/held`, inTenant);
  const rows = [];
  for (const [label, noise] of [
    ['alone', false],
    [`beside ${workers} busy workers of another`, true],
  ] as const) {
    const ours: Sample[] = [];
    const floor: Sample[] = [];
    for (let round = -1; round < (quick ? 2 : 7); round++) {
      for (const [servers, into] of [
        [held, ours],
        [plain, floor],
      ] as const) {
        signal.throwIfAborted();
        const sample = await ask(servers, noise, quick ? 2 : 5);
        if (round >= 0) into.push(sample);
      }
    }
    for (const key of ['p50', 'p99'] as const) {
      const [mine, theirs] = [ours, floor].map((all) => all.map((each) => each[key]));
      rows.push(compare(`${label}, ${key}`, mine ?? [], theirs ?? []));
    }
  }
  return { ...section, rows, notes: ['the noisy tenant may use one core'] };
}

type Wrap = (uid: number, command: readonly string[]) => readonly string[];

const plainly: Wrap = (uid, command) => [
  'setpriv',
  `--reuid=${uid}`,
  `--regid=${uid}`,
  '--clear-groups',
  ...command,
];
const inTenant: Wrap = (uid, command) => [
  launcher,
  '--instance',
  instance,
  '--chdir',
  '/',
  String(uid),
  '--',
  ...command,
];

interface Servers extends AsyncDisposable {
  readonly port: number;
}

async function startServers(root: string, wrap: Wrap): Promise<Servers> {
  mkdirSync(root);
  await using children = new AsyncDisposableStack();
  const add = (child: ChildProcess) => children.defer(() => ended(child));
  for (const name of names) add(await startFpm(root, name, wrap));
  const port = await freePort();
  writeFileSync(`${root}/nginx.conf`, nginxText(root, port));
  add(spawn('/usr/sbin/nginx', ['-c', `${root}/nginx.conf`], { stdio: 'inherit' }));
  await eventually('nginx answers', async () => {
    const responses = names.map((each) => fetch(`http://127.0.0.1:${port}/${each}`));
    // Connections are refused until the server listens.
    const answers = await Promise.allSettled(responses);
    return answers.every((each) => each.status === 'fulfilled' && each.value.ok) || undefined;
  });
  const all = children.move();
  return { port, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

async function startFpm(root: string, name: Name, wrap: Wrap): Promise<ChildProcess> {
  const [fpm] = findWebPrograms().fpm;
  if (fpm === undefined) throw new Error('there is no php-fpm');
  const home = `${root}/${name}`;
  const uid = tenants[name];
  mkdirSync(home);
  writeFileSync(`${home}/index.php`, scripts[name]);
  writeFileSync(
    `${home}/fpm.conf`,
    `[global]
error_log = ${home}/fpm.log
daemonize = no
[www]
listen = ${home}/php.sock
listen.mode = 0666
pm = static
pm.max_children = ${name === 'noisy' ? workers : 2}
`,
  );
  chownSync(home, uid, uid);
  const command = wrap(uid, [fpm.program, '-F', '-y', `${home}/fpm.conf`]);
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  await eventually(`php-fpm of ${name} listens`, () => existsSync(`${home}/php.sock`) || undefined);
  return child;
}

const nginxText = (root: string, port: number) =>
  `user www-data; worker_processes 1; daemon off; pid ${root}/nginx.pid; error_log ${root}/nginx.log;
events { worker_connections 256; }
http { access_log off;
server { listen 127.0.0.1:${port};
${names.map((each) => nginxLocation(root, each)).join('\n')}
} }
`;

const nginxLocation = (root: string, name: Name) => `location /${name} {
  fastcgi_param SCRIPT_FILENAME ${root}/${name}/index.php;
  fastcgi_param REQUEST_METHOD $request_method;
  fastcgi_pass unix:${root}/${name}/php.sock;
}`;

/** Asks for the quiet page. The noise begins before the first request, and ends after the last. */
async function ask({ port }: Servers, noise: boolean, seconds: number): Promise<Sample> {
  const url = `http://127.0.0.1:${port}`;
  const noisy = noise
    ? run('wrk', ['-t1', `-c${workers}`, `-d${seconds + 2}s`, '--timeout', '60s', `${url}/noisy`])
    : undefined;
  if (noise) await new Promise((resolve) => setTimeout(resolve, 1_000));
  const words = ['-t1', '-c1', `-d${seconds}s`, '--latency', '--timeout', '60s'];
  const { stdout } = await run('wrk', [...words, `${url}/quiet`]);
  await noisy;
  if (/Non-2xx/.test(stdout)) throw new Error(`the page failed: ${stdout}`);
  return { p50: latency(stdout, 50), p99: latency(stdout, 99) };
}
