/** Builds floor.c and talks to it: a line in, a pass over its list, a line with the time out. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Bench } from './bench.ts';
import { inTurn, spreadOf } from './samples.ts';

type Mode = 'make' | 'remove' | 'read' | 'usage';

export function buildFloor(directory: string): string {
  const program = `${directory}/floor`;
  const source = new URL('floor.c', import.meta.url).pathname;
  execFileSync('gcc', ['-O2', '-o', program, source], { stdio: ['ignore', 'ignore', 'inherit'] });
  return program;
}

export class Floor implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  /** Starts the program; `lines` are as the head of floor.c describes them. */
  constructor(program: string, mode: Mode, list: string, lines: readonly string[]) {
    writeFileSync(list, lines.map((line) => `${line}\n`).join(''));
    this.#child = spawn(program, [mode, list], { stdio: ['pipe', 'pipe', 'inherit'] });
    // When the program has exited, its output ends too, and that is reported.
    this.#child.stdin?.on('error', () => undefined);
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('The C program has no output');
    this.#answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  /** Runs one pass and returns its milliseconds. */
  async pass(): Promise<number> {
    this.#child.stdin?.write('\n');
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error('The C program exited before it answered');
    return Number(value) / 1e6;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await ended;
  }
}

interface Run {
  readonly milliseconds: number;
  /** User and system time of the command and the processes it has waited for. */
  readonly cpuMilliseconds: number;
  readonly peakMiB: number;
}

/** Starts a command once, from a program small enough not to count. */
export function runOnce(program: string, command: readonly string[]): Run {
  const answer = execFileSync(program, ['run', ...command], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [nanoseconds = NaN, kibibytes = NaN, cpuMicroseconds = NaN] = answer
    .trim()
    .split(' ')
    .map(Number);
  return {
    milliseconds: nanoseconds / 1e6,
    cpuMilliseconds: cpuMicroseconds / 1e3,
    peakMiB: kibibytes / 1024,
  };
}

/** The milliseconds of each command: the rounds of `inTurn()`, and the median of its processor time. */
export interface TimedCommands {
  readonly samples: readonly (readonly number[])[];
  readonly cpuMilliseconds: readonly number[];
}

/** Runs commands in turn, from a program small enough not to count. */
export async function runInTurn(
  { floor, quick, signal }: Pick<Bench, 'floor' | 'quick' | 'signal'>,
  commands: readonly (readonly string[])[],
): Promise<TimedCommands> {
  const rounds = quick ? 3 : 9;
  const cpu: number[][] = commands.map(() => []);
  const samples = await inTurn(
    rounds,
    commands.map((command, index) => () => {
      const run = runOnce(floor, command);
      cpu[index]?.push(run.cpuMilliseconds);
      return run.milliseconds;
    }),
    signal,
  );
  // The round that inTurn() drops is the first.
  return { samples, cpuMilliseconds: cpu.map((each) => spreadOf(each.slice(-rounds)).p50) };
}
