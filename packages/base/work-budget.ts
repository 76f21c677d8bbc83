/**
 * A share of the time of one core: work may start while any of the saved-up time is left. If one piece
 * of work took longer, the next one must wait for that time.
 *
 * In any time `t` the work is at most `burst + share × t`, plus one piece.
 */
export interface CoreShare {
  /** The share of the time. 0.25: a quarter. */
  readonly share: number;
  /** The maximum time that can be saved up, in milliseconds of work. */
  readonly burst: number;
}

export class WorkBudget {
  readonly #share: number;
  readonly #burst: number;
  #left: number;
  #at: number | undefined;

  constructor({ share, burst }: CoreShare) {
    this.#share = share;
    this.#burst = burst;
    this.#left = burst;
  }

  /** Returns the time until work may start, in milliseconds; 0: now. `now` is monotonic. */
  wait(now: number): number {
    this.#advance(now);
    // A debt that is only a rounding error does not count.
    return this.#left > -1e-6 ? 0 : -this.#left / this.#share;
  }

  spend(milliseconds: number, now: number): void {
    this.#advance(now);
    this.#left -= milliseconds;
  }

  #advance(now: number): void {
    const passed = Math.max(0, now - (this.#at ?? now));
    this.#at = now;
    this.#left = Math.min(this.#burst, this.#left + passed * this.#share);
  }
}
