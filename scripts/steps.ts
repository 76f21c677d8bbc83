/** Runs the steps of a gate one after the other under a guard, shows each with its time, and counts failures. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { guarded } from '../src/testing/guard/argv.ts';
import { endWithParent } from '../src/testing/guard/subreaper.ts';

export const root = fileURLToPath(new URL('..', import.meta.url));
const bin = `${root}node_modules/.bin`;

export interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** Why a failure is tried once more before it counts. */
  readonly again?: string;
}

interface Ran {
  readonly name: string;
  readonly passed: boolean;
  readonly seconds: number;
}

export const tool = (name: string) => `${bin}/${name}`;

/** Node's own test runner; `one` file at a time where tests share the machine. */
export function tests(name: string, files: readonly string[], one = false): Step {
  const concurrency = one ? ['--test-concurrency=1'] : [];
  return { name, command: [process.execPath, '--test', ...concurrency, ...files] };
}

/** All steps run, so that one run shows everything that is wrong. */
export async function runSteps(steps: readonly Step[]): Promise<boolean> {
  // npm passes on only some of the signals that may end it; `exec` in package.json makes it the parent.
  if (process.env['npm_lifecycle_event'] !== undefined) endWithParent();
  const all: Ran[] = [];
  for (const step of steps) all.push(await runStep(step));
  process.stdout.write(`\n${summaryOf(all)}\n`);
  return all.every(({ passed }) => passed);
}

async function runStep(step: Step): Promise<Ran> {
  const first = await runOnce(step);
  if (first.passed || step.again === undefined) return first;
  process.stdout.write(`\n== ${step.name} failed, and is run once more: ${step.again}\n`);
  const second = await runOnce(step);
  return { ...second, seconds: first.seconds + second.seconds };
}

async function runOnce({ name, command }: Step): Promise<Ran> {
  process.stdout.write(`\n== ${name}\n`);
  const started = performance.now();
  const passed = await runGuarded(command);
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(`== ${name}: ${passed ? 'ok' : 'FAILED'} (${seconds.toFixed(1)} s)\n`);
  return { name, passed, seconds };
}

/** A signal ends the step first, with all that it has started, and then this process. */
function runGuarded(command: readonly string[]): Promise<boolean> {
  const [program = '', ...args] = guarded(command);
  // In a session of its own: what a terminal sends to all at once would end the guard's work, too.
  const guard = spawn(program, args, {
    cwd: root,
    stdio: ['pipe', 'inherit', 'inherit'],
    detached: true,
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let interrupted: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals) => {
    interrupted = signal;
    guard.kill(signal);
  };
  for (const signal of signals) process.on(signal, interrupt);
  return new Promise((resolve) => {
    guard.on('error', (error) => {
      process.stdout.write(`Cannot run "${program}": ${error.message}\n`);
      resolve(false);
    });
    guard.on('exit', (status) => {
      for (const signal of signals) process.off(signal, interrupt);
      // Its listener is gone, so the signal has its ordinary effect.
      if (interrupted === undefined) resolve(status === 0);
      else process.kill(process.pid, interrupted);
    });
  });
}

function summaryOf(all: readonly Ran[]): string {
  const width = Math.max(...all.map(({ name }) => name.length));
  const line = (name: string, seconds: number, end: string) =>
    `${name.padEnd(width)} ${seconds.toFixed(1).padStart(7)} s  ${end}`.trimEnd();
  const total = all.reduce((sum, { seconds }) => sum + seconds, 0);
  const failed = all.filter(({ passed }) => !passed).map(({ name }) => name);
  return [
    ...all.map(({ name, seconds, passed }) => line(name, seconds, passed ? 'ok' : 'FAILED')),
    line('all', total, ''),
    ...(failed.length > 0 ? [`Failed: ${failed.join(', ')}`] : []),
  ].join('\n');
}
