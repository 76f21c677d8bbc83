/**
 * The cost of tenants that nobody visits, each with a pool. First all pools are in the
 * distribution's php-fpm, which starts workers on demand; then each has a service that does not
 * run. It reports memory a tenant above a host without pools, and exact counts of processes. It
 * runs in a virtual machine with systemd and the agent.
 */
import type { StatusResponse } from '../src/agent/api/status-response.ts';
import type { Guest } from '../testing/vm/guest.ts';
import { eventually } from '../testing/patience.ts';
import type { Bench } from './bench.ts';
import {
  addAccounts,
  addSites,
  applyPolicy,
  distribution,
  isTenant,
  startFpmGuest,
  succeed,
  tell,
  tenantsOf,
  until,
} from './fpm-guest.ts';
import { spreadOf, type Row, type Section } from './samples.ts';

/** Agent ticks to wait, so that memory needed only for a moment is not counted. */
const ticks = 3;

/** Memory in KiB. */
interface Memory {
  readonly all: number;
  readonly systemd: number;
  readonly agent: number;
  readonly php: number;
  readonly kernel: number;
}

interface Counts {
  readonly ofTenants: number;
  readonly php: number;
  readonly processes: number;
  readonly cgroups: number;
  readonly sockets: number;
}

interface State {
  readonly memory: Memory;
  readonly counts: Counts;
}

const rows: readonly (readonly [label: string, key: keyof Memory])[] = [
  ['no longer available to others', 'all'],
  ['  systemd, resident', 'systemd'],
  ['  the agent and its helpers', 'agent'],
  ['  php-fpm, its share', 'php'],
  ['  the kernel: slab, stacks, page tables, per processor', 'kernel'],
];

export async function benchIdleTenants(bench: Bench): Promise<Section> {
  const { directory, quick, tenants: count = quick ? 20 : 1_000 } = bench;
  const section = {
    name: 'idle-tenants',
    title: `Memory a tenant, ${count} of them with PHP that nobody asks for (virtual machine)`,
    beside: 'pools, ondemand',
    unit: 'KiB',
  } as const;
  const started = await startFpmGuest();
  if (!started.ok) return { ...section, rows: [], notes: [`skipped: ${started.error.reason}`] };
  await using guest = started.value;
  const tenants = tenantsOf(count);
  await addAccounts(guest, tenants);
  await tell('applying the policy', () => applyPolicy(guest, 'systemd'));
  await startAgent(guest);
  await succeed(guest, `systemctl start ${distribution}`);
  const none = await tell('measuring without pools', () => stateOf(guest));
  await addSites(guest, directory, tenants, 'ondemand');
  await succeed(guest, `systemctl restart ${distribution}`);
  const classic = await tell('measuring pools', () => stateOf(guest));
  await tell('making services', () => succeed(guest, 'bulkhead web fpm enable --all'));
  await until(guest, `! systemctl is-active 'bulkhead-fpm*.service'`);
  const services = await tell('measuring services', () => stateOf(guest));
  return {
    ...section,
    rows: rows.map(([label, key]) => row(label, key, { none, classic, services }, count)),
    notes: [
      `before: ${formatCounts(none.counts)}`,
      `pools, ondemand: ${formatCounts(classic.counts)}`,
      `services that do not run: ${formatCounts(services.counts)}`,
      'each beside the same machine without pools, after its caches were dropped',
    ],
  };
}

function row(
  label: string,
  key: keyof Memory,
  { none, classic, services }: Readonly<Record<'none' | 'classic' | 'services', State>>,
  count: number,
): Row {
  const each = ({ memory }: State) => (memory[key] - none.memory[key]) / count;
  return { label, ours: spreadOf([each(services)]), floor: spreadOf([each(classic)]) };
}

const formatCounts = ({ ofTenants, php, processes, cgroups, sockets }: Counts) =>
  `${ofTenants} processes of tenants, ${php} of php-fpm, ${processes} in all; ${cgroups} cgroups, ${sockets} sockets of services`;

async function startAgent(guest: Guest): Promise<void> {
  await succeed(
    guest,
    `cp /opt/bulkhead/packaging/bulkhead.service /etc/systemd/system/ && mkdir -p /etc/systemd/system/bulkhead.service.d
printf '[Service]\\nTimeoutStartSec=infinity\\nWatchdogSec=0\\n' > /etc/systemd/system/bulkhead.service.d/patient.conf
systemctl daemon-reload && systemctl start bulkhead`,
  );
}

/** Measures once the agent has seen the change, and file caches are dropped. */
async function stateOf(guest: Guest): Promise<State> {
  const ticked = async () => {
    const text = await guest.run('bulkhead status --json');
    const { agent } = JSON.parse(text.stdout) as { readonly agent?: StatusResponse };
    return agent?.tick.ticks ?? 0;
  };
  const first = await ticked();
  await eventually('the agent has seen it', async () => (await ticked()) >= first + ticks);
  const text = await succeed(guest, readings);
  const [meminfo = '', status = '', agent = '', shares = '', processes = '', counts = ''] =
    text.split('---\n');
  const of = (name: string, from = meminfo) =>
    Number(new RegExp(`^${name}:?\\s+(\\d+)`, 'm').exec(from)?.[1] ?? NaN);
  const [cgroups = NaN, sockets = NaN] = counts.trim().split('\n').map(Number);
  return {
    memory: {
      all: -of('MemAvailable'),
      systemd: of('VmRSS', status),
      agent: of('anon', agent) / 1024,
      php: Number(shares.trim()),
      kernel: of('Slab') + of('KernelStack') + of('PageTables') + of('Percpu'),
    },
    counts: { ...countsOf(processes), cgroups, sockets },
  };
}

/**
 * The commands that read all figures. Sources: proc_meminfo(5), proc_pid_status(5),
 * proc_pid_smaps(5), cgroup-v2.rst.
 */
const readings = `sync; echo 3 > /proc/sys/vm/drop_caches
cat /proc/meminfo; echo ---
cat /proc/1/status; echo ---
cat /sys/fs/cgroup/system.slice/bulkhead.service/memory.stat; echo ---
for pid in $(pgrep '^php-fpm'); do sed -n 's/^Pss: *\\([0-9]*\\).*/\\1/p' /proc/$pid/smaps_rollup; done | awk '{ sum += $1 } END { print sum + 0 }'; echo ---
ps --deselect --ppid 2 -p 2 -o uid= -o comm=; echo ---
find /sys/fs/cgroup -mindepth 1 -type d | wc -l
systemctl list-units --no-legend --state=listening 'bulkhead-fpm*.socket' | wc -l`;

/** Counts processes in lines such as `20001 php-fpm8.4`; kernel threads are not among them. */
function countsOf(text: string): Pick<Counts, 'ofTenants' | 'php' | 'processes'> {
  const processes = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  return {
    ofTenants: processes.filter(([uid]) => isTenant(Number(uid))).length,
    php: processes.filter(([, name]) => name?.startsWith('php-fpm')).length,
    processes: processes.length,
  };
}
