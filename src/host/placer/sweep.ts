/**
 * Inspects exactly the processes that were forked since a given time, such as that at which a process
 * changed its uid: its children may have been forked outside before it was moved.
 *
 * Pids are visited in the order in which they were assigned, up to the one that is last when the end is
 * reached. So a child comes after its parent, and when it is visited its parent has been moved: either
 * the child is visible by now, or it inherits the parent's new cgroup, since the kernel serializes
 * moving and forking. Parents that are gone, as in a double fork, make no difference. Once the end is
 * reached, none was missed.
 *
 * It goes in looks: each visits what had been forked when it began. What a look finds was forked during the look before, so
 * it takes as many looks as there are generations, on a machine of any speed. Who forks as fast as looks follow, without
 * ever being met alive, would be followed forever; so their number is limited, too.
 */
import type { PidHistory } from './pid-history.ts';

/** Each is another object. */
export type Look = object;

/** What is asked of the history of pids. */
export type PidClock = Pick<
  PidHistory,
  'last' | 'distance' | 'next' | 'pidMax' | 'lapMilliseconds'
>;

/** A sweep that is behind by more will not catch up. */
const defaultPidsMax = 2_048;
/** Where others fork as fast as this machine does, one look in two is the last. */
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
  /** The pids that are left of this look. */
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

  /** Inspects the pids after `pid`, including those it has inspected since. */
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

  /** Stops. */
  end(): void {
    this.#at = undefined;
  }

  /** Continues for a few milliseconds; `lapped`: it gave up because there is too much to inspect, or no end of it. */
  step(milliseconds: number): 'done' | 'more' | 'lapped' {
    const now = performance.now();
    // All pids could have been assigned since, so the distance would mean nothing.
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
