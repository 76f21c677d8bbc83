/**
 * Whether the wall clock can be trusted. It may be wrong for a while, for example until the host has
 * queried a time server, and data that is old only by a wrong clock must not be deleted.
 */
const enough = 360;
const millisecondsMax = 3_600_000;

export class SteadyClock {
  #last: number | undefined;
  #steady = 0;

  /**
   * Called with the time once per tick: true after 360 ticks in which it never went back nor an hour
   * ahead at once, which is half an hour with ticks of five seconds.
   */
  isSteady(now: number): boolean {
    const step = now - (this.#last ?? now);
    this.#last = now;
    this.#steady = step >= 0 && step <= millisecondsMax ? this.#steady + 1 : 0;
    return this.#steady >= enough;
  }
}
