/**
 * Whether the wall clock can be trusted. It may be wrong for a while, for example until the host has queried a time
 * server. Data must not be deleted because a wrong clock makes it look old.
 */
const enough = 360;
const millisecondsMax = 3_600_000;

export class SteadyClock {
  #last: number | undefined;
  #steady = 0;

  /**
   * Takes the time once per tick. Returns true after 360 ticks in which it never went back, nor ahead by an hour at
   * once: half an hour with ticks of five seconds.
   */
  isSteady(now: number): boolean {
    const step = now - (this.#last ?? now);
    this.#last = now;
    this.#steady = step >= 0 && step <= millisecondsMax ? this.#steady + 1 : 0;
    return this.#steady >= enough;
  }
}
