/**
 * Requests through nginx and PHP-FPM to a tenant, below all limits. Its pool is a service in its
 * cgroup, and its site has an entries limit. It is compared, in turn, with a second nginx without
 * the entries file and a pool of the distribution's service, in the same virtual machine.
 */
import type { Guest } from '../testing/vm/guest.ts';
import type { Bench } from './bench.ts';
import {
  distribution,
  hostOf,
  lostOf,
  parseAsked,
  plain,
  prepareFpmGuest,
  startFpmGuest,
  succeed,
  tenantsOf,
  until,
  type Account,
  type Asked,
} from './fpm-guest.ts';
import { compare, inTurn, percentile, type Section } from './samples.ts';

const clients = 4;
const ports = { ours: 80, plain: 81 } as const;
const [tenant] = tenantsOf(1) as readonly [Account];

export async function benchRequests({ directory, quick, signal }: Bench): Promise<Section> {
  const section = {
    name: 'requests',
    title:
      'Requests through nginx and PHP-FPM below all limits (virtual machine, emulated processor)',
    beside: 'without Bulkhead',
  };
  const started = await startFpmGuest();
  if (!started.ok) return { ...section, rows: [], notes: [`skipped: ${started.error.reason}`] };
  await using guest = started.value;
  await prepare(guest, directory);
  const each = quick ? 200 : 2_000;
  const ours: Asked[] = [];
  const floor: Asked[] = [];
  const way = (port: number, account: Account, into: Asked[]) => async () => {
    const asked = parseAsked(
      await succeed(guest, `web-ask ${clients} ${port} ${hostOf(account)} / ${each}`),
    );
    into.push(asked);
    return asked.milliseconds;
  };
  const samples = await inTurn(
    quick ? 3 : 15,
    [way(ports.ours, tenant, ours), way(ports.plain, plain, floor)],
    signal,
  );
  // The first round is not counted.
  const of = (what: (asked: Asked) => number) =>
    [ours, floor].map((all) => all.slice(1).map(what)) as [number[], number[]];
  const perThousand = samples.map((all) => all.map((ms) => (ms / each) * 1_000));
  return {
    ...section,
    rows: [
      compare(`1,000 requests, ${clients} at once`, perThousand[0] ?? [], perThousand[1] ?? []),
      compare('  p50 of a request', ...of(({ served }) => percentile(served, 0.5))),
      compare('  p99', ...of(({ served }) => percentile(served, 0.99))),
    ],
    notes: [
      `requests a second: ${rate(perThousand[0])} with Bulkhead, ${rate(perThousand[1])} without`,
      `${lostOf(ours)} with Bulkhead, ${lostOf(floor)} without; ${await limitsHit(guest)}`,
    ],
  };
}

const rate = (perThousand: readonly number[] = []) =>
  Math.round(1_000_000 / percentile(perThousand, 0.5));

/**
 * Checks that the tenant's processes are in its cgroup, and returns how often it reached a limit.
 */
async function limitsHit(guest: Guest): Promise<string> {
  const cgroup = `/sys/fs/cgroup/user.slice/user-${tenant.uid}.slice`;
  const workers = await succeed(
    guest,
    `cat $(find ${cgroup} -name cgroup.procs) | wc -l; sed -n 's/^nr_throttled //p' ${cgroup}/cpu.stat; sed -n 's/^max //p' ${cgroup}/memory.events`,
  );
  const [processes, throttled, reclaimed] = workers.trim().split('\n').map(Number);
  if (processes === 0) throw new Error(`nothing runs in ${cgroup}`);
  return `${processes} processes in the tenant's cgroup, ${throttled} times throttled, ${reclaimed} times at the limit of memory`;
}

async function prepare(guest: Guest, directory: string): Promise<void> {
  await prepareFpmGuest(guest, directory, [tenant, plain], 'static');
  // The second nginx is the same, copied before the entries file is there.
  const config = '/etc/nginx-plain/nginx.conf';
  await succeed(
    guest,
    `cp -a /etc/nginx /etc/nginx-plain && cd /etc/nginx-plain && find . -type f -exec sed -i 's#/etc/nginx/#/etc/nginx-plain/#g; s#127.0.0.1:${ports.ours};#127.0.0.1:${ports.plain};#; s#/run/nginx.pid#/run/nginx-plain.pid#' {} +
systemctl start nginx ${distribution} && nginx -q -t -c ${config} && systemd-run --quiet --unit=nginx-plain nginx -c ${config} -g 'daemon off;' &&
bulkhead web fpm enable --all`,
  );
  const { servers } = JSON.parse(await succeed(guest, 'bulkhead web entries enable --json')) as {
    readonly servers: readonly { readonly server: string; readonly enforced: readonly unknown[] }[];
  };
  if (!servers.some(({ server, enforced }) => server === 'nginx' && enforced.length > 0))
    throw new Error('nginx enforces entries at no site');
  for (const [port, account] of [
    [ports.ours, tenant],
    [ports.plain, plain],
  ] as const)
    await until(guest, `web-ask 1 ${port} ${hostOf(account)} / 1 | grep ' 200$'`);
}
