/**
 * Inspects exactly the processes that were forked since a given time, such as that at which a process
 * changed its uid: its children may have been forked outside before it was moved.
 *
 * Pids are visited in the order in which they were assigned, up to the one that is last when the end is
 * reached. So a child comes after its parent, and when it is visited its parent has been moved: either
 * the child is visible by now, or it inherits the parent's new cgroup, since the kernel serializes
 * moving and forking. Parents that are gone, as in a double fork, make no difference. Once the end is
 * reached, none was missed.
 */
import type { PidHistory } from './pid-history.ts';

/** A sweep that is behind by more will not catch up. */
const defaultPidsMax = 2_048;
const atOnce = 16;

export class Sweep {
  readonly #clock: PidHistory;
  readonly #place: (pid: number) => unknown;
  /** The pid that was inspected last; undefined while there is nothing to do. */
  #at: number | undefined;
  #scannedAt = 0;
  readonly #pidsMax: number;

  constructor(
    clock: PidHistory,
    place: (pid: number) => unknown,
    pidsMax: number = defaultPidsMax,
  ) {
    this.#clock = clock;
    this.#place = place;
    this.#pidsMax = pidsMax;
  }

  get pending(): boolean {
    return this.#at !== undefined;
  }

  /** Inspects the pids after `pid`, including those it has inspected since. */
  from(pid: number): void {
    const last = this.#clock.last();
    if (this.#at === undefined) this.#scannedAt = performance.now();
    const at = this.#at ?? last;
    if (this.#clock.distance(pid, last) > this.#clock.distance(at, last)) this.#at = pid;
    else this.#at ??= pid;
  }

  /** Stops. */
  end(): void {
    this.#at = undefined;
  }

  /** Continues for a few milliseconds; `lapped`: it gave up because there is too much to inspect. */
  step(milliseconds: number): 'done' | 'more' | 'lapped' {
    const now = performance.now();
    // All pids could have been assigned since, so the distance would mean nothing.
    const isBlind = now - this.#scannedAt > this.#clock.lapMilliseconds;
    while (this.#at !== undefined) {
      let left = this.#clock.distance(this.#at, this.#clock.last());
      if (left > Math.min(this.#pidsMax, this.#clock.pidMax / 2) || isBlind) {
        this.#at = undefined;
        return 'lapped';
      }
      if (left === 0) this.#at = undefined;
      for (left = Math.min(left, atOnce); left > 0; left--) {
        this.#at = this.#clock.next(this.#at ?? 0);
        this.#place(this.#at);
      }
      this.#scannedAt = performance.now();
      if (this.#scannedAt > now + milliseconds) break;
    }
    return this.#at === undefined ? 'done' : 'more';
  }
}
