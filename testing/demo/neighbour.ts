/**
 * A tenant that behaves well: it serves a small page up to twenty times a second. The time for each
 * page is measured, first without and then with the other tenants' loads.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { launcher, paths } from './place.ts';
import { neighbourUid } from './meter.ts';

/** A line is a request, a line is its answer; some milliseconds of work are in between. */
const server = `while read -r request; do
  i=0
  while [ $i -lt 8000 ]; do i=$((i + 1)); done
  echo "$request"
done`;
const requestEveryMilliseconds = 50;
/**
 * The factor by which it rests for longer than it works: on a slow host it must not need the host
 * for itself.
 */
const restRatio = 3;

type Phase = 'alone' | 'beside';

export interface Pages {
  readonly count: number;
  readonly medianMilliseconds: number;
  /** 95 of 100 took no longer. */
  readonly millisecondsMax: number;
}

export class Neighbour implements Disposable {
  readonly #child: ChildProcess;
  readonly #times: Readonly<Record<Phase, number[]>> = { alone: [], beside: [] };
  readonly #timer: NodeJS.Timeout;
  #phase: Phase = 'alone';
  #askedAt: number | undefined;
  #nextAt = 0;
  problem: string | undefined;

  constructor() {
    this.#child = spawn(
      launcher,
      ['--instance', paths.instance, String(neighbourUid), '--', 'sh', '-c', server],
      { stdio: ['pipe', 'pipe', 'pipe'], detached: true },
    );
    this.#child.on('error', (error) => (this.problem = error.message));
    this.#child.stdin?.on('error', () => {});
    this.#child.stdout?.on('data', () => this.#answered());
    this.#child.stderr?.on('data', (text: Buffer) => (this.problem = text.toString().trim()));
    this.#timer = setInterval(() => this.#ask(), requestEveryMilliseconds);
  }

  #ask(): void {
    const now = performance.now();
    if (this.#askedAt !== undefined || now < this.#nextAt) return;
    this.#askedAt = now;
    this.#child.stdin?.write('page\n');
  }

  #answered(): void {
    if (this.#askedAt === undefined) return;
    const now = performance.now();
    const took = now - this.#askedAt;
    this.#times[this.#phase].push(took);
    this.#nextAt = now + took * restRatio;
    this.#askedAt = undefined;
  }

  /** Starts the phase with the others' loads. */
  others(): void {
    this.#phase = 'beside';
  }

  pages(phase: Phase): Pages | undefined {
    const times = this.#times[phase].toSorted((a, b) => a - b);
    const at = (part: number) => times[Math.floor(part * (times.length - 1))] ?? 0;
    if (times.length === 0) return undefined;
    return { count: times.length, medianMilliseconds: at(0.5), millisecondsMax: at(0.95) };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#child.stdin?.destroy();
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    this.#child.kill('SIGKILL');
  }
}
