/**
 * From setuid to placed, as the process itself sees it, beside cgrulesengd on the same load; what an
 * event costs; and what a look at ten thousand processes costs.
 */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { applyPolicy, releaseAll } from '../src/agent/life.ts';
import { resolveText } from '../src/agent/load.ts';
import {
  ConnectorPlacement,
  placementTargets,
  type PlacementTargets,
} from '../src/agent/placement.ts';
import { linuxHost } from '../src/host/host.ts';
import { pathsOf } from '../src/host/paths.ts';
import { ensurePrerequisites } from '../src/testing/prerequisites.ts';
import type { Bench } from './bench.ts';
import { spreadOf, type Row, type Section } from './samples.ts';

const instance = 'bulkhead-place-bench';
/** No account has it, and no tenant of another benchmark: two placers would fight over it. */
const uid = 300_999;
const account = 'bulkhead-place';
const rates = [20, 200, 1_000];
const secondsEach = { quick: 3, full: 10 };
const crowdSize = 10_000;
const policy = `<bulkhead version="1"><tenant uid="${uid}"><processes limit="unlimited"/></tenant></bulkhead>`;

const run = promisify(execFile);

interface Load {
  /** Milliseconds each; what was not placed within two seconds is missing. */
  readonly samples: readonly number[];
  readonly lost: number;
  readonly cpuMicroseconds: number;
}

export async function benchPlacement({ directory, quick, signal }: Bench): Promise<Section> {
  const ready = await ensurePrerequisites('placement', (line) => process.stderr.write(`${line}\n`));
  if (!ready.ok) throw new Error(`Cannot run ${ready.reason}`);
  const program = buildProgram(directory);
  const stage = new Stage();
  try {
    const where = [String(uid), stage.path, String(stage.targets.tree.hierarchies.length)];
    const seconds = quick ? secondsEach.quick : secondsEach.full;
    const load = async (pid: number, rate: number) => {
      signal.throwIfAborted();
      return await measure(program, pid, rate, rate * seconds, where);
    };
    const ours = await placing(stage, async (placement) => {
      const loads: Load[] = [];
      for (const rate of rates) loads.push(await load(placement.pid ?? 0, rate));
      return { loads, scan: await measureScan(placement, program, where) };
    });
    const theirs = await withEngine(directory, stage, async (pid) => {
      const loads: Load[] = [];
      for (const rate of rates) loads.push(await load(pid, rate));
      return loads;
    });
    return section(ours.loads, theirs, ours.scan, stage.targets.tree.hierarchies.length);
  } finally {
    stage.remove();
  }
}

function section(
  ours: readonly Load[],
  theirs: readonly Load[] | string,
  scan: string,
  hierarchies: number,
): Section {
  const notes = [`${hierarchies} hierarchies; exact to 50 microseconds and a tenth`, scan];
  const beside = typeof theirs === 'string' ? undefined : theirs;
  if (typeof theirs === 'string') notes.push(theirs);
  return {
    name: 'placement',
    title: 'From setuid to placed in every hierarchy',
    beside: beside === undefined ? '' : 'cgrulesengd',
    rows: rates.map((rate, index) => rowOf(rate, ours[index], beside?.[index])),
    notes,
  };
}

function rowOf(rate: number, ours: Load | undefined, theirs: Load | undefined): Row {
  if (ours === undefined) throw new Error('A rate was not measured');
  const own = spreadOf(ours.samples);
  const row: Row = {
    label: `${rate} a second`,
    ours: own,
    note: theirs === undefined ? detail(ours) : `${detail(ours)}; cgrulesengd: ${detail(theirs)}`,
  };
  if (theirs === undefined || theirs.samples.length === 0) return row;
  const floor = spreadOf(theirs.samples);
  return { ...row, floor, ratio: { p50: own.p50 / floor.p50, p90: own.p90 / floor.p90 } };
}

function detail({ samples, lost, cpuMicroseconds }: Load): string {
  const sorted = samples.toSorted((a, b) => a - b);
  const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? NaN;
  const each = cpuMicroseconds / (samples.length + lost);
  return `p99 ${p99.toFixed(2)} ms, CPU ${each.toFixed(0)} us each, ${lost} of ${samples.length + lost} not placed`;
}

async function measure(
  program: string,
  pid: number,
  rate: number,
  count: number,
  where: readonly string[],
): Promise<Load> {
  const before = cpuMicroseconds(pid);
  const { stdout } = await run(program, ['rate', String(rate), String(count), ...where]);
  const took = stdout.trim().split('\n').map(Number);
  const samples = took.filter((each) => each >= 0).map((each) => each / 1_000);
  return {
    samples,
    lost: took.length - samples.length,
    cpuMicroseconds: cpuMicroseconds(pid) - before,
  };
}

async function measureScan(
  placement: ConnectorPlacement,
  program: string,
  where: readonly string[],
): Promise<string> {
  const crowd = spawn(program, ['crowd', String(crowdSize), ...where], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await Promise.race([once(crowd.stdout, 'data'), once(crowd, 'exit')]);
  if (crowd.exitCode !== null) throw new Error('The crowd did not gather');
  await placement.rescan();
  const { pid = 0 } = placement;
  const before = cpuMicroseconds(pid);
  const begin = performance.now();
  await placement.rescan();
  const took = performance.now() - begin;
  const cpu = (cpuMicroseconds(pid) - before) / 1_000;
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length;
  crowd.stdin.end();
  await once(crowd, 'exit');
  const rss = residentMiB(pid);
  return `a look at ${processes} processes, ${crowdSize} of them a tenant's: ${took.toFixed(0)} ms, CPU ${cpu.toFixed(0)} ms; once a minute that is ${((cpu / 60_000) * 100).toFixed(2)} % of a core; the placer has ${rss.toFixed(0)} MiB resident`;
}

async function placing<T>(
  stage: Stage,
  work: (placement: ConnectorPlacement) => Promise<T>,
): Promise<T> {
  await using placement = new ConnectorPlacement({
    log: (line) => process.stderr.write(`${line}\n`),
    haltFile: `${stage.host.paths.runtime}/stopped.json`,
  });
  placement.start();
  placement.setTargets(stage.targets);
  const { state, problem } = await placement.rescan();
  if (state !== 'on') throw new Error(problem);
  return await work(placement);
}

/** Answers why not where it cannot run. It sees a copy of /etc with the rule in it, and another /run. */
async function withEngine(
  directory: string,
  stage: Stage,
  work: (pid: number) => Promise<readonly Load[]>,
): Promise<readonly Load[] | string> {
  if (stage.targets.tree.version === 2) return 'cgrulesengd is measured on cgroup v1 alone';
  const etc = `${directory}/etc`;
  mkdirSync(`${etc}/cgconfig.d`, { recursive: true });
  for (const name of ['group', 'nsswitch.conf', 'ld.so.cache']) {
    copyFileSync(`/etc/${name}`, `${etc}/${name}`);
  }
  const accounts = readFileSync('/etc/passwd', 'utf8');
  writeFileSync(`${etc}/passwd`, `${accounts}${account}:x:${uid}:${uid}::/:/bin/sh\n`);
  writeFileSync(`${etc}/cgconfig.conf`, '');
  const controllers = stage.targets.tree.hierarchies.map((each) =>
    each.name.replaceAll('io', 'blkio'),
  );
  writeFileSync(
    `${etc}/cgrules.conf`,
    `${account} ${controllers.join(',')} ${stage.path.slice(1)}\n`,
  );
  const hidden = `mount --bind "$0" /etc && mount -t tmpfs none /run && exec cgrulesengd -n -q`;
  const engine = spawn('unshare', ['--mount', 'sh', '-c', hidden, etc], { stdio: 'ignore' });
  await sleep(1_000);
  if (engine.exitCode !== null) return 'cgrulesengd does not start here';
  try {
    return await work(engine.pid ?? 0);
  } finally {
    await end(engine);
  }
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** An instance with one tenant. */
class Stage {
  readonly host = linuxHost(pathsOf(instance));
  readonly targets: PlacementTargets;
  /** The tenant's group as /proc/PID/cgroup shows it. */
  readonly path: string;

  constructor() {
    const { policy: resolved, diagnostics } = resolveText('bench', policy, this.host.paths);
    if (resolved === undefined) throw new Error(diagnostics[0]?.message);
    const applied = applyPolicy(resolved, this.host, { kill: false, force: false });
    if (!applied.ok) throw new Error(applied.error);
    this.targets = placementTargets(resolved, this.host.paths, applied.value.driver.tree);
    this.path = `${this.targets.tree.hierarchies[0]?.path}/u${uid}`;
  }

  remove(): void {
    const released = releaseAll(this.host, { kill: true });
    const { runtime, state } = this.host.paths;
    for (const path of [runtime, state]) rmSync(path, { recursive: true, force: true });
    const problems = released.ok ? released.value : [released.error];
    if (problems.length > 0) throw new Error(problems.join('\n'));
  }
}

function buildProgram(directory: string): string {
  const program = `${directory}/placement`;
  const source = new URL('placement.c', import.meta.url).pathname;
  execFileSync('gcc', ['-O2', '-o', program, source], { stdio: ['ignore', 'ignore', 'inherit'] });
  return program;
}

/** Of all threads, from the scheduler's own books: clock ticks would be too coarse. */
function cpuMicroseconds(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = threads.map((thread) => {
    const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
    return Number(text.split(' ')[0]);
  });
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1_000;
}

function residentMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_024;
}
