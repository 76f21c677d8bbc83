/**
 * `setup --dry-run` on a host with many tenants: what it finds, and the plan. Only the processes of this benchmark see its
 * accounts and sites.
 */
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { runInTurn } from './floor.ts';
import { compare, type Row, type Section } from './samples.ts';
import { entry } from './start.ts';

const tenants = 1000;
const firstUid = 20_000;
const goalSeconds = 3;

/** Mounts a file or directory over another one, for the command only. */
type Mount = readonly [from: string, over: string];

export async function benchSetup(bench: Bench): Promise<Section> {
  const { directory } = bench;
  const policy = join(directory, 'setup-policy.xml');
  const uids = `${firstUid}-${firstUid + tenants - 1}`;
  writeFileSync(policy, `<bulkhead version="1"><tenants uids="${uids}"/></bulkhead>`, {
    mode: 0o600,
  });
  const accounts: Mount = [writePasswd(directory), '/etc/passwd'];
  const sites = [accounts, ...siteMounts(directory)];
  const program = bench.built.command ?? [entry];
  const plan = [...program, '--instance', 'bulkhead-bench-setup', 'setup', '--dry-run'];
  const withPolicy = [...plan, '--policy', policy];
  const ways: readonly (readonly [label: string, command: readonly string[]])[] = [
    ['bulkhead --version', inside([accounts], [...program, '--version'])],
    [`setup --dry-run, ${tenants} accounts, no policy`, inside([accounts], plan)],
    [`setup --dry-run, ${tenants} tenants`, inside([accounts], withPolicy)],
    ...(sites.length === 1
      ? []
      : [[`the same, ${tenants} sites and pools`, inside(sites, withPolicy)] as const]),
  ];
  const { samples, cpuMilliseconds } = await runInTurn(
    bench,
    ways.map(([, command]) => command),
  );
  const rows = ways.map(([label], index): Row => ({
    ...compare(label, samples[index] ?? [], samples[0] ?? []),
    note: `CPU ${((cpuMilliseconds[index] ?? NaN) / 1000).toFixed(2)} s`,
  }));
  const missing = sites.length === 1 ? ['sites are not measured: no nginx or no PHP-FPM'] : [];
  return {
    name: 'setup',
    title: 'Look at a host, and plan its setup',
    beside: 'bulkhead --version',
    rows,
    notes: [`the goal is ${goalSeconds} s`, ...missing],
  };
}

const inside = (mounts: readonly Mount[], command: readonly string[]) => {
  const lines = mounts.map(([from, over]) => `mount --bind '${from}' '${over}'`);
  const script = [...lines, 'exec "$@" >/dev/null'].join(' && ');
  return ['unshare', '-m', 'sh', '-c', script, 'sh', ...command];
};

const each = (line: (user: string, uid: number) => string) =>
  Array.from({ length: tenants }, (_, index) => line(`t${index}`, firstUid + index));

function writePasswd(directory: string): string {
  const file = join(directory, 'setup-passwd');
  const lines = each((user, uid) => `${user}:x:${uid}:${uid}::/home/${user}:/bin/sh\n`);
  writeFileSync(file, [readFileSync('/etc/passwd', 'utf8'), ...lines].join(''));
  return file;
}

/** Returns the sites of nginx and the pools of PHP-FPM; none if one of them is not here. */
function siteMounts(directory: string): readonly Mount[] {
  const vhosts = '/etc/nginx/sites-enabled';
  const pools = globSync('/etc/php/*/fpm/pool.d').at(-1);
  if (pools === undefined || !existsSync(vhosts)) return [];
  const write = (name: string, text: (user: string) => string): string => {
    const files = join(directory, name);
    mkdirSync(files);
    for (const user of each((user) => user)) writeFileSync(join(files, `${user}.conf`), text(user));
    return files;
  };
  return [
    [write('setup-sites', vhostText), vhosts],
    [write('setup-pools', poolText), pools],
  ];
}

const vhostText = (user: string) => `server {
  listen 127.0.0.1:8099;
  server_name ${user}.example;
  root /home/${user}/www;
  location ~ \\.php$ { include fastcgi_params; fastcgi_pass unix:/run/php/${user}.sock; }
}
`;

const poolText = (user: string) => `[${user}]
user = ${user}
group = nogroup
listen = /run/php/${user}.sock
pm = ondemand
pm.max_children = 4
`;
