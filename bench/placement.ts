/**
 * The time from setuid to placed, as the process itself sees it, compared with cgrulesengd under
 * the same load. It also measures the cost of an event, and of a scan of ten thousand processes.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { logToStderr } from '../testing/progress.ts';
import type { ConnectorPlacement } from '../src/agent/placer/placement.ts';
import { ensurePrerequisites } from '../testing/prerequisites.ts';
import type { Bench } from './bench.ts';
import { cpuMicroseconds, placing, Stage, uid, withEngine } from './placement-stage.ts';
import { spreadOf, type Row, type Section } from './samples.ts';

const rates = [20, 200, 1_000];
const secondsEach = 3;
const turns = { quick: 1, full: 4 };
const crowdSize = 10_000;

const run = promisify(execFile);

interface Load {
  /** Milliseconds each; a process that was not placed within two seconds is missing. */
  readonly samples: readonly number[];
  readonly lost: number;
  readonly cpuMicroseconds: number;
}

export async function benchPlacement({ directory, quick, signal }: Bench): Promise<Section> {
  const ready = await ensurePrerequisites('placement', logToStderr);
  if (!ready.ok) throw new Error(`Cannot run ${ready.reason}`);
  const program = buildProgram(directory, 'placement.c');
  const stage = new Stage();
  try {
    const where = [String(uid), stage.path, String(stage.targets.tree.hierarchies.length)];
    const loadsOf = async (pid: number) => {
      const loads: Load[] = [];
      for (const rate of rates) {
        signal.throwIfAborted();
        loads.push(await measure(program, pid, rate, rate * secondsEach, where));
      }
      return loads;
    };
    const ours: (readonly Load[])[] = [];
    const theirs: (readonly Load[] | string)[] = [];
    for (let turn = 0; turn < (quick ? turns.quick : turns.full); turn++) {
      ours.push(await placing(stage, ({ pid = 0 }) => loadsOf(pid)));
      theirs.push(await withEngine(directory, stage, loadsOf));
    }
    const scan = await placing(stage, (placement) => measureScan(placement, program, where));
    const reason = theirs.find((each) => typeof each === 'string');
    const engine = reason ?? togetherOf(theirs.filter((each) => typeof each !== 'string'));
    return section(togetherOf(ours), engine, scan, stage.targets.tree.hierarchies.length);
  } finally {
    stage.remove();
  }
}

/** Adds up the turns of each rate. */
const togetherOf = (loads: readonly (readonly Load[])[]): readonly Load[] =>
  rates.map((_, index) => {
    const each = loads.flatMap((turn) => turn[index] ?? []);
    return {
      samples: each.flatMap(({ samples }) => samples),
      lost: sum(each.map(({ lost }) => lost)),
      cpuMicroseconds: sum(each.map((load) => load.cpuMicroseconds)),
    };
  });

const sum = (values: readonly number[]) => values.reduce((all, each) => all + each, 0);

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

export function buildProgram(directory: string, of: string): string {
  const source = new URL(of, import.meta.url).pathname;
  const program = `${directory}/${basename(source, '.c')}`;
  execFileSync('gcc', ['-O2', '-o', program, source], { stdio: ['ignore', 'ignore', 'inherit'] });
  return program;
}

function residentMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_024;
}
