/**
 * How long a tenant that resists has a process outside its cgroup, under each storm of the attacks,
 * compared with cgrulesengd. It also measures what a flood of uid changes costs the program that
 * follows them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { logToStderr } from '../testing/progress.ts';
import { ensurePrerequisites } from '../testing/prerequisites.ts';
import type { Bench } from './bench.ts';
import { buildProgram } from './placement.ts';
import { cpuMicroseconds, placing, Stage, uid, withEngine } from './placement-stage.ts';
import { spreadOf, type Row, type Section } from './samples.ts';

const stormMilliseconds = 1_000;
const floodMilliseconds = 2_000;
/** The time after a storm, as in `chains.c`: a process that is outside so long stays there. */
const settleMilliseconds = 2_000;
const roundsEach = 3;
const turns = { quick: 1, full: 4 };
const storms = [
  ['1 chain of fork and exit', '1'],
  ['16 chains', '16'],
  ['64 chains', '64'],
  ['16 chains that continue themselves', '16', 'continue'],
  ['16 chains that change their uid', '16', 'switch'],
] as const;

interface Outcome {
  /** Milliseconds of each round until no process was outside any more. */
  readonly samples: readonly number[];
  /** Rounds after which a process stayed outside. */
  readonly escaped: number;
}

interface Flood {
  readonly thousands: number;
  readonly percent: number;
}

interface Results {
  readonly storms: readonly Outcome[];
  /** Thousands of uid changes a second, and percent of a core. */
  readonly floods: readonly Flood[];
}

export async function benchStorms({ directory, quick, signal }: Bench): Promise<Section> {
  const ready = await ensurePrerequisites('placement', logToStderr);
  if (!ready.ok) throw new Error(`Cannot run ${ready.reason}`);
  const program = buildProgram(directory, '../test/attacks/chains.c');
  const stage = new Stage();
  const measure = async (pid: number): Promise<Results> => {
    const outcomes: Outcome[] = [];
    for (const [, ...args] of storms) outcomes.push(await storm(stage, program, args, signal));
    return { storms: outcomes, floods: [await flood(program, pid)] };
  };
  try {
    const ours: Results[] = [];
    const theirs: (Results | string)[] = [];
    for (let turn = 0; turn < (quick ? turns.quick : turns.full); turn++) {
      ours.push(await placing(stage, ({ pid = 0 }) => measure(pid)));
      theirs.push(await withEngine(directory, stage, measure));
    }
    const reason = theirs.find((each) => typeof each === 'string');
    const engine = reason ?? togetherOf(theirs.filter((each) => typeof each !== 'string'));
    return section(togetherOf(ours), engine);
  } finally {
    killAll();
    stage.remove();
  }
}

const togetherOf = (results: readonly Results[]): Results => ({
  storms: storms.map((_, index) => {
    const each = results.flatMap((turn) => turn.storms[index] ?? []);
    return {
      samples: each.flatMap(({ samples }) => samples),
      escaped: each.reduce((sum, { escaped }) => sum + escaped, 0),
    };
  }),
  floods: results.flatMap(({ floods }) => floods),
});

async function storm(
  stage: Stage,
  program: string,
  [chains = '', ...how]: readonly string[],
  signal: AbortSignal,
): Promise<Outcome> {
  const samples: number[] = [];
  let escaped = 0;
  for (let round = 0; round < roundsEach; round++) {
    signal.throwIfAborted();
    const took = await timeOutside(stage, program, [chains, String(stormMilliseconds), ...how]);
    if (took === undefined) escaped++;
    else samples.push(took);
    while (processes().length > 0) await sleep(5);
  }
  return { samples, escaped };
}

/**
 * Returns how long a chain ran outside at most after its change of uid, as its processes report;
 * nothing if one stays there.
 */
async function timeOutside(
  { path, targets }: Stage,
  program: string,
  args: readonly string[],
): Promise<number | undefined> {
  const witness = ['witness', path, String(targets.tree.hierarchies.length)];
  const child = spawn(program, [String(uid), ...args, ...witness]);
  const printed = text(child.stdout);
  await once(child, 'exit');
  killAll();
  const last = Number(await printed) / 1_000;
  return last > stormMilliseconds + settleMilliseconds / 2 ? undefined : last;
}

function processes(): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 1 && read(`/proc/${pid}/status`).includes(`\nUid:\t${uid}\t`));
}

async function flood(program: string, pid: number): Promise<Flood> {
  const child = spawn(program, [String(uid), '1', String(floodMilliseconds), 'flood']);
  const exited = once(child, 'exit');
  const before = cpuMicroseconds(pid);
  const printed = text(child.stdout);
  await sleep(floodMilliseconds);
  const percent = (cpuMicroseconds(pid) - before) / floodMilliseconds / 10;
  await exited;
  killAll();
  return { thousands: Number(await printed) / floodMilliseconds, percent };
}

/** Formats the medians of the turns. */
function formatFloods(floods: readonly Flood[]): string {
  const thousands = spreadOf(floods.map((each) => each.thousands)).p50;
  const percent = spreadOf(floods.map((each) => each.percent)).p50;
  return `${thousands.toFixed(0)} thousand changes of uid a second: ${percent.toFixed(0)} % of a core`;
}

function killAll(): void {
  for (const pid of processes()) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // The process has gone already.
    }
  }
}

function section(ours: Results, theirs: Results | string): Section {
  const beside = typeof theirs === 'string' ? undefined : theirs;
  const notes = [
    `a storm lasts ${stormMilliseconds} ms, and begins outside; each process reads its cgroup before it forks, and counts from the change of uid of its chain`,
    `a flood of ${formatFloods(ours.floods)}${beside === undefined ? '' : `; cgrulesengd, ${formatFloods(beside.floods)}`}`,
  ];
  if (typeof theirs === 'string') notes.push(theirs);
  return {
    name: 'storms',
    title: 'Until no process of a tenant that resists is outside',
    beside: beside === undefined ? '' : 'cgrulesengd',
    rows: storms.map(([label], index) => rowOf(label, ours.storms[index], beside?.storms[index])),
    notes,
  };
}

function rowOf(label: string, ours: Outcome | undefined, theirs: Outcome | undefined): Row {
  if (ours === undefined) throw new Error('A storm was not measured');
  const row = { label, ours: spreadOf(ours.samples), note: detail(ours) };
  if (theirs === undefined) return row;
  const note = `${row.note}; cgrulesengd: ${detail(theirs)}`;
  return theirs.samples.length === 0
    ? { ...row, note }
    : { ...row, note, floor: spreadOf(theirs.samples) };
}

function detail({ samples, escaped }: Outcome): string {
  const sorted = samples.toSorted((a, b) => a - b);
  const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1];
  const worst = sorted.at(-1);
  const said = p99 === undefined ? '' : `p99 ${p99.toFixed(0)} ms, worst ${worst?.toFixed(0)} ms, `;
  return `${said}${escaped} of ${samples.length + escaped} times somebody stayed outside`;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
