/**
 * Inspects exactly the processes that were forked since a given time, such as a process's change of uid. Its children
 * may have been forked outside before it was moved.
 *
 * Pids are visited in the order in which they were assigned, up to the one that is last when the end is reached. So a
 * child comes after its parent, and when it is visited its parent has been moved. The child is visible by now or
 * inherits the parent's new cgroup, since the kernel serializes moving and forking. Parents that are gone, as in a
 * double fork, make no difference. Once the end is reached, none was missed.
 *
 * It works in passes: each visits the processes forked before the pass began. A pass finds processes forked during the
 * previous pass, so it takes as many passes as generations, at any machine speed. A process that forks as fast as
 * passes follow, and is never met alive, would be followed forever; so the number of passes is limited, too.
 */
import type { PidHistory } from './pid-history.ts';

/** A pass; each is another object. */
export type Look = object;

/** The parts of the pid history that a sweep needs. */
export type PidClock = Pick<
  PidHistory,
  'last' | 'distance' | 'next' | 'pidMax' | 'lapMilliseconds'
>;

/** A sweep that is behind by more will not catch up. */
const defaultPidsMax = 2_048;
/**
 * The maximum number of passes. Even if others fork as fast as this machine can, a pass is the last one with a chance
 * of one in two.
 */
const looksMax = 128;
const atOnce = 16;

export class Sweep {
  readonly #clock: PidClock;
  readonly #place: (pid: number, look: Look) => unknown;
  /** The pid that was inspected last; undefined while there is nothing to do. */
  #at: number | undefined;
  #scannedAt = 0;
  readonly #pidsMax: number;
  #look: Look = {};
  #looks = 0;
  /** The number of pids left in this pass. */
  #left = 0;

  constructor(
    clock: PidClock,
    place: (pid: number, look: Look) => unknown,
    pidsMax: number = defaultPidsMax,
  ) {
    this.#clock = clock;
    this.#place = place;
    this.#pidsMax = pidsMax;
  }

  get pending(): boolean {
    return this.#at !== undefined;
  }

  /** Inspects the pids after `pid`, including pids it has inspected since. */
  from(pid: number): void {
    const last = this.#clock.last();
    if (this.#at === undefined) this.#begin();
    const at = this.#at ?? last;
    const back = this.#clock.distance(pid, last) - this.#clock.distance(at, last);
    if (back <= 0) {
      this.#at = at;
      return;
    }
    this.#at = pid;
    if (this.#left > 0) this.#left += back;
  }

  #begin(): void {
    this.#scannedAt = performance.now();
    this.#looks = 0;
    this.#left = 0;
  }

  /** Stops the sweep. */
  end(): void {
    this.#at = undefined;
  }

  /** Continues for a few milliseconds; `lapped`: it stopped because there is too much to inspect, or no end of it. */
  step(milliseconds: number): 'done' | 'more' | 'lapped' {
    const now = performance.now();
    // All pids could have been assigned since, so the distance would be meaningless.
    const isBlind = now - this.#scannedAt > this.#clock.lapMilliseconds;
    while (this.#at !== undefined) {
      const left = this.#clock.distance(this.#at, this.#clock.last());
      if (isBlind || this.#isTooMuch(left)) {
        this.end();
        return 'lapped';
      }
      if (left === 0) this.end();
      else this.#visit(left);
      this.#scannedAt = performance.now();
      if (this.#scannedAt > now + milliseconds) break;
    }
    return this.#at === undefined ? 'done' : 'more';
  }

  #isTooMuch(left: number): boolean {
    const isEndless = left > 0 && this.#left === 0 && this.#looks === looksMax;
    return isEndless || left > Math.min(this.#pidsMax, this.#clock.pidMax / 2);
  }

  #visit(left: number): void {
    if (this.#left === 0) {
      this.#look = {};
      this.#looks++;
      this.#left = left;
    }
    for (let count = Math.min(this.#left, atOnce); count > 0; count--) {
      this.#left--;
      this.#at = this.#clock.next(this.#at ?? 0);
      this.#place(this.#at, this.#look);
    }
  }
}
