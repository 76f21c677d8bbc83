/**
 * A look at all processes, in pieces, so that events need not wait for it.
 *
 * A process that was being forked while the list was made is not in it. If its parent was outside
 * and has been moved since, the child may be outside too; so the list is made again until
 * a pass finds nobody to move who was not moved in the pass before. The latter are about to end:
 * the kernel shows them outside on v1, and takes no notice of where they are put.
 */
import type { Outcome } from './placer.ts';
import { listProcesses } from './process-reader.ts';
import { mostOutside, type PlacerOutside } from './protocol.ts';

/** What is still outside after this many is left to the next scan. */
const mostPasses = 10;
/** Looked at between two glances at the clock. */
const atOnce = 16;

export class Scan {
  readonly #place: (pid: number) => Outcome;
  #pids: readonly number[] = listProcesses();
  #index = 0;
  #passes = 1;
  #moved = new Set<number>();
  #movedBefore: ReadonlySet<number> = new Set();
  #outside: PlacerOutside[] = [];

  constructor(place: (pid: number) => Outcome) {
    this.#place = place;
  }

  /** Goes on for a few milliseconds; answers who is outside once it is through. */
  step(milliseconds: number): readonly PlacerOutside[] | undefined {
    const until = performance.now() + milliseconds;
    while (performance.now() < until) {
      if (this.#index >= this.#pids.length && !this.#again()) return this.#outside;
      const end = Math.min(this.#pids.length, this.#index + atOnce);
      while (this.#index < end) this.#look(this.#pids[this.#index++] ?? 0);
    }
    return undefined;
  }

  #look(pid: number): void {
    const outcome = this.#place(pid);
    if (outcome === 'moved') this.#moved.add(pid);
    if (typeof outcome === 'string' || this.#outside.length >= mostOutside) return;
    this.#outside.push({ pid, ...outcome });
  }

  #again(): boolean {
    const fresh = [...this.#moved].some((pid) => !this.#movedBefore.has(pid));
    if (!fresh || this.#passes >= mostPasses) return false;
    this.#passes++;
    this.#movedBefore = this.#moved;
    this.#moved = new Set();
    this.#outside = [];
    this.#index = 0;
    this.#pids = listProcesses();
    return true;
  }
}
