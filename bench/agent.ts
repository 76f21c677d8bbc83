/**
 * The agent as a whole: its memory, the CPU time of a tick, and a tick in which all tenants fault.
 * A C loop that reads the same counters is the comparison. The agent runs as the installed package
 * does, where that can be built.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatProblem } from '../packages/base/problem.ts';
import type { StatusResponse } from '../src/agent/api/status-response.ts';
import { freePort } from '../testing/free-port.ts';
import { callAgent } from '../src/agent/api/client.ts';
import { openFilesLimit } from '../src/sys/open-files.ts';
import { wantedOnHost } from '../src/plan/wanted-on-host.ts';
import { limits } from '../src/limits/limits.ts';
import type { Bench } from './bench.ts';
import { Floor } from './floor.ts';
import { spreadOf, type Row, type Section } from './samples.ts';
import { firstUid, instance, locator, Scratch } from './scratch.ts';
import { entry } from './start.ts';

export const intervalSeconds = 5;
/** How many of a hundred tenants do something. */
const busyPercent = 30;
const goalRatio = 2;
/** Samples of each other tool, whose cost is their average. */
const samples = 5;

export async function benchAgent(bench: Bench): Promise<Section> {
  const load = buildLoad(bench.directory);
  const ticks = bench.quick ? 3 : 12;
  const rows: Row[] = [];
  for (const tenants of [1_000, 10_000]) {
    bench.signal.throwIfAborted();
    rows.push(await measure(bench, load, { tenants, ticks, faulting: false }));
  }
  rows.push(await measure(bench, load, { tenants: 1_000, ticks, faulting: true }));
  return {
    name: 'agent',
    title: `A tick of the agent, every ${intervalSeconds} s, CPU time`,
    beside: 'C loop',
    rows,
    notes: [
      `${busyPercent} of 100 tenants do something, or all of them where all fault`,
      'memory is the resident set of the agent at the end',
    ],
  };
}

interface Case {
  readonly tenants: number;
  readonly ticks: number;
  readonly faulting: boolean;
}

async function measure(
  bench: Bench,
  load: string,
  { tenants, ticks, faulting }: Case,
): Promise<Row> {
  using scratch = new Scratch(bench.directory, tenants);
  writePolicy(scratch, faulting);
  await using agent = await startAgent(bench, scratch);
  const busy = faulting ? tenants : Math.round((tenants * busyPercent) / 100);
  await using _busy = await startLoad(load, busy, faulting);
  // The cost of starting is not the cost of a tick.
  await nextTicks(scratch, 2);
  const samples: number[] = [];
  const floor: number[] = [];
  let longest = 0;
  await using c = floorOf(bench, scratch);
  for (let tick = 0; tick < ticks; tick++) {
    bench.signal.throwIfAborted();
    const before = cpuMilliseconds(agent.pid);
    const status = await nextTicks(scratch, 1);
    longest = Math.max(longest, (status.tick.durationSeconds ?? 0) * 1000);
    samples.push(cpuMilliseconds(agent.pid) - before);
    // The C loop runs between two ticks, when the caches hold other data, as they do for the agent.
    await sleep((intervalSeconds * 1000) / 2);
    floor.push(await c.pass());
  }
  const beside =
    faulting || tenants > 1000 ? '' : `${cgtop()}${await processExporter(bench.directory)}`;
  return rowOf({ tenants, faulting, samples, floor, longest, pid: agent.pid, beside });
}

interface Measured {
  readonly tenants: number;
  readonly faulting: boolean;
  readonly samples: readonly number[];
  readonly floor: readonly number[];
  readonly longest: number;
  readonly pid: number;
  readonly beside: string;
}

/**
 * Makes a row. The engine's own work does not fall on every tick, so the average means more than
 * the median.
 */
function rowOf({ tenants, faulting, samples, floor, longest, pid, beside }: Measured): Row {
  const average = samples.reduce((sum, each) => sum + each, 0) / samples.length;
  const c = spreadOf(floor).p50;
  const share = ((average / (intervalSeconds * 1000)) * 100).toFixed(2);
  const [rss, placer] = [rssMiB(pid), rssMiB(childOf(pid, 'placer'))];
  return {
    label: faulting ? `${tenants} tenants, all fault` : `${tenants} tenants`,
    ours: { p50: average, p90: spreadOf(samples).p90 },
    floor: { p50: c, p90: spreadOf(floor).p90 },
    ratio: { p50: average / c, p90: average / c },
    ...(tenants === 1000 && !faulting ? { goal: goalRatio } : {}),
    peakMiB: rss,
    note: `${share} % of a core; the tick itself took at most ${longest.toFixed(0)} ms; the placer has ${placer.toFixed(0)} MiB${beside}`,
  };
}

export function writePolicy({ policyFile }: Scratch, faulting: boolean): void {
  const text = readFileSync(policyFile, 'utf8')
    .replace('<bulkhead version="1">', `$&\n  <agent interval="${intervalSeconds}s"/>`)
    .replace('<processes limit="100"/>', `<processes limit="${faulting ? 1 : 100}"/>`);
  writeFileSync(policyFile, text);
}

interface Running extends AsyncDisposable {
  readonly pid: number;
}

export async function startAgent(
  { built }: Bench,
  { policyFile, host }: Scratch,
): Promise<Running> {
  const args = ['--instance', instance, 'agent', '--policy', policyFile];
  const flags = (/agent\) flags='(.*)'/.exec(readFileSync(entry, 'utf8'))?.[1] ?? '').split(' ');
  const [node = '', script = ''] = built.command ?? [];
  const command =
    built.command === undefined ? [entry, ...args] : [node, ...flags, script, ...args];
  const child = spawn(command[0] ?? '', command.slice(1), {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (let tries = 0; tries < 600; tries++) {
    await sleep(100);
    if ((await callAgent<StatusResponse>(host.paths, '/v1/status')).ok) break;
  }
  return { pid: child.pid ?? 0, [Symbol.asyncDispose]: () => ended(child) };
}

export async function startLoad(
  program: string,
  count: number,
  faulting: boolean,
): Promise<AsyncDisposable> {
  const args = [String(firstUid), String(count), '1000', faulting ? 'fork' : 'idle'];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return {
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, 'exit');
      child.stdin.end();
      await exited;
      await gone(child.pid ?? 0);
    },
  };
}

/** Waits until the last process of the group is reaped, or only waits to be reaped. */
async function gone(group: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    await sleep(200);
    const { stdout } = spawnSync('ps', ['-o', 'stat=', '-g', String(group)], { encoding: 'utf8' });
    if (!/^[^Z\n]/m.test(stdout)) return;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

export async function nextTicks({ host }: Scratch, count: number): Promise<StatusResponse> {
  const status = async () => {
    const answer = await callAgent<StatusResponse>(host.paths, '/v1/status');
    if (!answer.ok) throw new Error(formatProblem(answer.error));
    return answer.value;
  };
  const { ticks: first, endedAt = 0 } = (await status()).tick;
  // Every request costs the agent something too.
  await sleep(Math.max(0, endedAt + count * intervalSeconds * 1000 + 100 - Date.now()));
  for (;;) {
    await sleep(250);
    const now = await status();
    if (now.tick.ticks >= first + count) return now;
  }
}

/** Builds the C loop that reads the counters of every tick. */
function floorOf({ directory, floor }: Bench, scratch: Scratch): Floor {
  const driver = scratch.driver();
  const side = driver.tree.version === 2 ? 'cgroup2' : 'cgroup1';
  const locate = locator(scratch.hierarchies());
  const counters = limits
    .flatMap((limit) => limit[side].counters)
    .filter((each) => each.follows === undefined);
  const cgroups = wantedOnHost(scratch.policy, driver.context).cgroups.filter(
    (each) => each.kind !== 'root',
  );
  const reads = cgroups.flatMap(({ path }) =>
    counters.map(({ controller, file }) => `read\t${locate(controller, path, file)}`),
  );
  const mode = reads.length < openFilesLimit() - 256 ? 'usage' : 'read';
  return new Floor(floor, mode, `${directory}/agent-reads`, reads);
}

/** Measures one sample of systemd-cgtop, if it is installed: the same cgroups, and the rest. */
function cgtop(): string {
  const script = `systemd-cgtop --batch --iterations=${samples} --delay=1s --depth=4 >/dev/null && times`;
  const { stdout, status } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  const children = stdout.trim().split('\n')[1] ?? '';
  const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest),
    0,
  );
  return status === 0
    ? `; systemd-cgtop: ${((seconds * 1000) / samples).toFixed(0)} ms a sample`
    : '';
}

/**
 * Measures one scrape of prometheus-process-exporter, if it is installed: the host's processes, by
 * account.
 */
async function processExporter(directory: string): Promise<string> {
  const program = '/usr/bin/prometheus-process-exporter';
  if (!existsSync(program)) return '';
  const config = `${directory}/process-exporter.yml`;
  writeFileSync(config, `process_names:\n  - name: '{{.Username}}'\n    cmdline: ['.+']\n`);
  const port = await freePort();
  const args = ['-config.path', config, '-web.listen-address', `127.0.0.1:${port}`];
  const child = spawn(program, args, { stdio: 'ignore' });
  try {
    const scrape = () => fetch(`http://127.0.0.1:${port}/metrics`).then((reply) => reply.text());
    for (let tries = 0; tries < 50; tries++) {
      await sleep(100);
      if ((await scrape().catch(() => '')) !== '') break;
    }
    const before = cpuMilliseconds(child.pid ?? 0);
    for (let sample = 0; sample < samples; sample++) {
      await scrape();
      await sleep(1000);
    }
    const each = (cpuMilliseconds(child.pid ?? 0) - before) / samples;
    return `; prometheus-process-exporter: ${each.toFixed(0)} ms a scrape`;
  } finally {
    await ended(child);
  }
}

export function buildLoad(directory: string): string {
  const program = `${directory}/agent-load`;
  const source = new URL('agent-load.c', import.meta.url).pathname;
  execFileSync('gcc', ['-O1', '-o', program, source], { stdio: ['ignore', 'ignore', 'inherit'] });
  return program;
}

/**
 * Returns the CPU time of all threads, in milliseconds. Source: sched-stats.rst,
 * /proc/PID/schedstat.
 */
export function cpuMilliseconds(pid: number): number {
  return readdirSync(`/proc/${pid}/task`)
    .map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8'))
    .reduce((sum, text) => sum + Number(text.split(' ')[0]) / 1e6, 0);
}

function rssMiB(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1] ?? NaN) / 1024;
}

function childOf(pid: number, word: string): number {
  const found = execFileSync('pgrep', ['-P', String(pid), '-f', word], { encoding: 'utf8' });
  return Number(found.trim().split('\n')[0]);
}
