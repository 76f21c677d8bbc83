/** Runs the steps of a gate under a guard, shows each with its time, and counts failures. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { signalAtEndOfParent } from '../src/sys/syscalls.ts';
import { guarded } from '../testing/guard/argv.ts';
import { descendantsOf } from '../testing/guard/process-tree.ts';
import { patienceMilliseconds } from '../testing/patience.ts';
import { builtMark } from '../testing/program.ts';

export const root = fileURLToPath(new URL('..', import.meta.url));
const bin = `${root}node_modules/.bin`;
/** How much of a failed step is shown again at the end: enough for some tests with their reasons. */
const failureLinesMax = 60;

export interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** The reason to try a failed step once more before it counts. */
  readonly again?: string;
  /** The minutes after which it hangs, and is ended; none for steps that always end. */
  readonly minutesMax?: number;
  /** The minutes that it takes on a slow machine; a run with a limit leaves it out where they are not left. */
  readonly minutes?: number;
}

interface Ran {
  readonly name: string;
  readonly passed: boolean;
  readonly seconds: number;
  /** The seconds of processors that it took. */
  readonly processorSeconds: number;
  /** Whether it failed first: a test that is to be corrected, even where it passed then. */
  readonly again?: true;
  /** The failures of each attempt, as the output listed them. */
  readonly failures: readonly string[];
}

/**
 * The cache of Node.js for compiled TypeScript: most tests start programs of this project, from
 * source.
 */
const compileCache = `${root}node_modules/.cache/node-compile`;

export const tool = (name: string) => `${bin}/${name}`;

/**
 * Returns a step that runs Node's own tests: a file for each processor and one more, since files also wait, or `one` file
 * at a time where tests share the machine. A test that hangs fails after `patience`, so that its name is shown.
 */
export function tests(
  name: string,
  files: readonly string[],
  { one = false, patience = patienceMilliseconds * 1.1 } = {},
): Step {
  const atOnce = `--test-concurrency=${one ? 1 : availableParallelism() + 1}`;
  const timeout = `--test-timeout=${patience}`;
  return { name, command: [process.execPath, '--test', atOnce, timeout, ...files] };
}

/** The steps of a run. */
export interface Steps {
  /** It makes what the others start: nothing else runs before it ends, or at all if it fails. */
  readonly build: Step;
  /** They run one after another, before the lanes begin. */
  readonly first: readonly Step[];
  /** The steps of a lane run one after another, and the lanes at the same time. */
  readonly lanes?: readonly (readonly Step[])[];
  /** They run beside all others, in the order in which one of them can begin. */
  readonly beside?: readonly Step[];
  /** The minutes of the whole run, if they are limited: steps that say how long they take are left out then, and named. */
  readonly minutesOfRun?: number;
}

/**
 * Runs all steps, so that one run shows everything that is wrong. A lane that is done helps with the steps beside. Output
 * of steps that run at the same time is shown when they end.
 */
export async function runSteps({
  build,
  first,
  lanes = [],
  beside = [],
  minutesOfRun = Infinity,
}: Steps): Promise<boolean> {
  // npm passes on only some of the signals that may end it; `exec` in package.json makes it the parent.
  if (process.env['npm_lifecycle_event'] !== undefined)
    signalAtEndOfParent(constants.signals.SIGTERM);
  const started = performance.now();
  const output = lanes.length + beside.length > 0 ? 'at its end' : 'as it comes';
  const others = [...beside];
  const leftOut: string[] = [];
  const lane: Lane = {
    output,
    leftOut,
    isInTime: ({ minutes = 0 }) => secondsSince(started) / 60 + minutes <= minutesOfRun,
  };
  const help = () => runLane(others, lane);
  const runThenHelp = async (steps: readonly Step[]) => [
    ...(await runLane([...steps], lane)),
    ...(await help()),
  ];
  const runOwn = async () => [
    ...(await runLane([...first], lane)),
    ...(await Promise.all([...lanes.map(runThenHelp), help()])).flat(),
  ];
  const sayProgress = () => process.stdout.write(progressOf(secondsSince(started)));
  const progress =
    output === 'at its end' ? setInterval(sayProgress, progressMilliseconds) : undefined;
  const built = await runStep(build, 'as it comes');
  const all = [built, ...(built.passed ? await Promise.all([runOwn(), help()]) : []).flat()];
  clearInterval(progress);
  process.stdout.write(`\n${summaryOf(all, secondsSince(started))}\n`);
  if (leftOut.length > 0)
    process.stdout.write(`\nNot run, for want of time: ${leftOut.join(', ')}\n`);
  return all.every(({ passed }) => passed);
}

/** How often a run says what it does while steps show their output at their end. */
const progressMilliseconds = 2 * 60_000;
/** The start of each step that runs, by its name. */
const running = new Map<string, number>();

function progressOf(seconds: number): string {
  const minutes = (each: number) => `${Math.floor(each / 60)} min`;
  const steps = [...running].map(([name, begun]) => `${name} ${minutes(secondsSince(begun))}`);
  return `\n== after ${minutes(seconds)}, running: ${steps.join('; ')}\n`;
}

type Output = 'as it comes' | 'at its end';

interface Lane {
  readonly output: Output;
  /** The names of steps that no time was left for. */
  readonly leftOut: string[];
  readonly isInTime: (step: Step) => boolean;
}

/** Runs the steps of a queue, from which other lanes may take as well. */
async function runLane(queue: Step[], lane: Lane): Promise<readonly Ran[]> {
  const ran: Ran[] = [];
  for (let step = queue.shift(); step !== undefined; step = queue.shift())
    if (lane.isInTime(step)) ran.push(await runStep(step, lane.output));
    else lane.leftOut.push(step.name);
  return ran;
}

async function runStep(step: Step, output: Output): Promise<Ran> {
  const first = await runOnce(step, output);
  if (first.passed || step.again === undefined) return first;
  process.stdout.write(`\n== ${step.name} failed, and is run once more: ${step.again}\n`);
  const second = await runOnce(step, output);
  return {
    ...second,
    seconds: first.seconds + second.seconds,
    processorSeconds: first.processorSeconds + second.processorSeconds,
    again: true,
    failures: [...first.failures, ...second.failures],
  };
}

async function runOnce({ name, command, minutesMax }: Step, output: Output): Promise<Ran> {
  process.stdout.write(`\n== ${name}${output === 'at its end' ? ': started' : ''}\n`);
  const started = performance.now();
  running.set(name, started);
  const { passed, processorSeconds, shown } = await runGuarded(command, output, minutesMax);
  running.delete(name);
  const seconds = secondsSince(started);
  process.stdout.write(`== ${name}: ${passed ? 'ok' : 'FAILED'} (${seconds.toFixed(1)} s)\n`);
  return { name, passed, seconds, processorSeconds, failures: passed ? [] : [failureIn(shown)] };
}

/** The part of the output that says what failed: Node's list of failed tests, or the last lines. */
function failureIn(output: string): string {
  const lines = output.trimEnd().split('\n');
  const listed = lines.findLastIndex((line) => line.endsWith('failing tests:'));
  const found = listed === -1 ? lines.slice(-failureLinesMax) : lines.slice(listed + 1);
  return found.slice(0, failureLinesMax).join('\n').trim();
}

const secondsSince = (started: number) => (performance.now() - started) / 1000;

interface Guarded {
  readonly passed: boolean;
  readonly processorSeconds: number;
  readonly shown: string;
}

/**
 * Runs a command, at most for some minutes; a signal first ends the step with all that it has started, and then this process.
 */
async function runGuarded(
  command: readonly string[],
  output: Output,
  minutesMax?: number,
): Promise<Guarded> {
  const [program = '', ...args] = guarded(command);
  const where = output === 'at its end' ? 'pipe' : 'inherit';
  // The guard has a session of its own: a terminal's signal to all processes would end the guard's
  // work, too.
  const guard = spawn(program, args, {
    cwd: root,
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache, [builtMark]: 'yes' },
    stdio: ['pipe', where, where],
    detached: true,
  });
  const ended = showAtEnd(guard);
  const limit = minutesMax === undefined ? undefined : endAfter(minutesMax, guard);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let interrupted: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals) => {
    interrupted = signal;
    guard.kill(signal);
  };
  for (const signal of signals) process.on(signal, interrupt);
  const status = await new Promise<number | null>((resolve) => {
    guard.on('error', (error) => {
      process.stdout.write(`Cannot run "${program}": ${error.message}\n`);
      resolve(1);
    });
    guard.on('exit', resolve);
  });
  const processorSeconds = takeProcessorSeconds();
  const shown = await ended;
  clearTimeout(limit);
  for (const signal of signals) process.off(signal, interrupt);
  if (interrupted === undefined) return { passed: status === 0, processorSeconds, shown };
  // Its listener is gone, so the signal has its ordinary effect, once no other lane listens.
  process.kill(process.pid, interrupted);
  return new Promise(() => {});
}

let taken = 0;

/** Returns the seconds of processors that children took which ended since the last call. Source: proc_pid_stat(5), cutime. */
function takeProcessorSeconds(): number {
  const [, fields = ''] = readOf('/proc/self/stat').split(') ');
  const [user = NaN, system = NaN] = fields.split(' ').slice(13, 15).map(Number);
  const before = taken;
  taken = (user + system) / ticksPerSecond;
  return taken - before;
}

const ticksPerSecond = 100;

/** Ends a step that hangs, and shows first what each of its processes waits for. */
function endAfter(minutes: number, guard: ChildProcess): NodeJS.Timeout {
  return setTimeout(() => {
    const { pid } = guard;
    if (pid === undefined) return;
    const lines = descendantsOf(pid).map((each) => {
      const read = (name: string) => readOf(`/proc/${each.pid}/${name}`);
      const command = read('cmdline').replaceAll('\0', ' ').slice(0, 160);
      return `  ${each.pid} ${each.state} ${read('wchan') || '-'} ${command}\n`;
    });
    process.stdout.write(
      `It hangs: ${minutes} minutes are over. Its processes:\n${lines.join('')}`,
    );
    guard.kill('SIGTERM');
  }, minutes * 60_000);
}

function readOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // It is gone.
  }
}

/** Shows the output of a step when it ends, and returns it; nothing if it was shown as it came. */
async function showAtEnd({ stdout, stderr }: ChildProcess): Promise<string> {
  if (stdout === null || stderr === null) return '';
  const both = new PassThrough();
  let open = 2;
  for (const stream of [stdout, stderr]) {
    stream.pipe(both, { end: false });
    stream.on('close', () => --open === 0 && both.end());
  }
  const shown = await text(both);
  process.stdout.write(shown);
  return shown;
}

const endOf = ({ passed, again }: Ran) =>
  passed ? `ok${again === true ? ', at the second attempt' : ''}` : 'FAILED';

function summaryOf(all: readonly Ran[], total: number): string {
  const width = Math.max(...all.map(({ name }) => name.length));
  const line = (name: string, ...columns: readonly string[]) =>
    [name.padEnd(width), ...columns].join(' ').trimEnd();
  const secondsOf = (seconds: number) => `${seconds.toFixed(1).padStart(9)} s`;
  const processorSeconds = all.reduce((sum, each) => sum + each.processorSeconds, 0);
  const failed = all.filter(({ passed }) => !passed).map(({ name }) => name);
  return [
    line('', '       time', ' processors'),
    ...all.map((each) =>
      line(each.name, secondsOf(each.seconds), secondsOf(each.processorSeconds), ` ${endOf(each)}`),
    ),
    line('all', secondsOf(total), secondsOf(processorSeconds)),
    ...all.flatMap(({ name, failures }) => failures.map((each) => `\n== ${name} failed:\n${each}`)),
    ...(failed.length > 0 ? [`\nFailed: ${failed.join(', ')}`] : []),
  ].join('\n');
}
