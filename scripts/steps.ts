/** Runs the steps of a gate one after the other, shows each with its time, and counts failures. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const bin = `${root}node_modules/.bin`;

export interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** Why a failure is tried once more before it counts. */
  readonly again?: string;
}

export const tool = (name: string) => `${bin}/${name}`;

/** Node's own test runner; `one` file at a time where tests measure or share the machine. */
export function tests(name: string, files: readonly string[], one = false): Step {
  const concurrency = one ? ['--test-concurrency=1'] : [];
  return { name, command: [process.execPath, '--test', ...concurrency, ...files] };
}

/** All steps run, so that one look shows everything that is wrong. */
export function runSteps(steps: readonly Step[]): boolean {
  const failed = steps.filter((step) => !runStep(step) && !runAgain(step)).map(({ name }) => name);
  if (failed.length > 0) process.stdout.write(`\nFailed: ${failed.join(', ')}\n`);
  return failed.length === 0;
}

function runAgain(step: Step): boolean {
  if (step.again === undefined) return false;
  process.stdout.write(`\n== ${step.name} failed, and is run once more: ${step.again}\n`);
  return runStep(step);
}

function runStep({ name, command }: Step): boolean {
  process.stdout.write(`\n== ${name}\n`);
  const started = performance.now();
  const [program = '', ...args] = command;
  const { status, error } = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (error !== undefined) process.stdout.write(`Cannot run ${program}: ${error.message}\n`);
  process.stdout.write(`== ${name}: ${status === 0 ? 'ok' : 'FAILED'} (${seconds} s)\n`);
  return status === 0;
}
