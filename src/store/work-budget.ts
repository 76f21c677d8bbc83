/**
 * A share of the time of one core: work may begin while there is any left of what has been saved up.
 * What one piece of work took beyond it must be waited for by the next one.
 *
 * In any time `t` at most `burst + share × t` is worked, and one piece more.
 */
export interface Share {
  /** 0.25: a quarter of the time. */
  readonly share: number;
  /** What can be saved up, in milliseconds of work. */
  readonly burst: number;
}

export class WorkBudget {
  readonly #share: number;
  readonly #burst: number;
  #left: number;
  #at: number | undefined;

  constructor({ share, burst }: Share) {
    this.#share = share;
    this.#burst = burst;
    this.#left = burst;
  }

  /** How long it is until work may begin, in milliseconds; 0 for now. `now` is monotonic. */
  wait(now: number): number {
    this.#advance(now);
    // What rounding leaves of a debt is none.
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
