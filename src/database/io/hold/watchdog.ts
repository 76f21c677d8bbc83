/**
 * The process that thaws everything when this one does not: `entry/thaw.c`. Nothing may be frozen while it does not
 * answer.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { entryFile } from '../../../sys/package-files.ts';

export interface WatchdogOptions {
  readonly record: string;
  /** Called when it has ended, or does not answer any more; a new one is started soon. */
  readonly onLost: (how: string) => void;
  readonly program?: string;
  /** The monotonic clock in milliseconds. */
  readonly now?: () => number;
}

const beatMilliseconds = 500;
/** It answers at once, but either of us may have to wait for a processor. */
const patienceMilliseconds = 2_000;
const restartMilliseconds = 1_000;

export class Watchdog implements Disposable {
  readonly #options: WatchdogOptions;
  readonly #program: string;
  readonly #now: () => number;
  #child: ChildProcess | undefined;
  #answeredAt = -Infinity;
  #startedAt = 0;
  #restart: NodeJS.Timeout | undefined;
  #beat: NodeJS.Timeout;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#program = options.program ?? entryFile('bulkhead-thaw');
    this.#now = options.now ?? (() => performance.now());
    this.#beat = setInterval(() => this.beat(), beatMilliseconds);
    this.#start();
  }

  /** Why there can be none here; undefined if there can. */
  static missing(program = entryFile('bulkhead-thaw')): string | undefined {
    return existsSync(program) ? undefined : `there is no ${program}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Whether it has answered a moment ago. */
  get isAlive(): boolean {
    return this.#child !== undefined && this.#now() - this.#answeredAt < patienceMilliseconds;
  }

  #start(): void {
    const child = spawn(this.#program, [this.#options.record], {
      cwd: '/',
      env: {},
      // Ctrl-C at a terminal reaches only the agent, which then thaws everything itself.
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child = child;
    this.#answeredAt = -Infinity;
    this.#startedAt = this.#now();
    child.on('error', (error) => this.#lost(child, error.message));
    child.on('exit', (code, signal) => this.#lost(child, `it ended with ${signal ?? code}`));
    child.stdin?.on('error', () => {});
    child.stdout?.on('error', () => {});
    child.stdout?.on('data', () => {
      if (child === this.#child) this.#answeredAt = this.#now();
    });
    child.stdin?.write('.');
  }

  /** Tells it that this process works. */
  beat(): void {
    const child = this.#child;
    if (child === undefined) return;
    const waits = this.#now() - Math.max(this.#answeredAt, this.#startedAt);
    if (waits < 2 * patienceMilliseconds) {
      child.stdin?.write('.');
      return;
    }
    child.kill('SIGKILL');
    this.#lost(child, 'it did not answer');
  }

  #lost(child: ChildProcess, how: string): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    child.stdin?.destroy();
    this.#options.onLost(how);
    this.#restart = setTimeout(() => this.#start(), restartMilliseconds);
  }

  /** Ends it; it thaws everything that is still recorded. */
  [Symbol.dispose](): void {
    clearInterval(this.#beat);
    clearTimeout(this.#restart);
    const child = this.#child;
    this.#child = undefined;
    child?.stdin?.destroy();
    child?.unref();
  }
}
