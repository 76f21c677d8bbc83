/**
 * Checks once a minute whether a state is as it should be. It reports what two checks in a row have found: during one
 * of them, a command that changes the state may be between two of its steps.
 */
const everyMs = 60_000;

export class StateCheck<Finding> {
  readonly #ask: () => Finding | undefined;
  readonly #clock: () => number;
  #askedAt = -Infinity;
  #wasFound = false;

  /** Creates the check. `clock`: monotonic, in milliseconds. */
  constructor(ask: () => Finding | undefined, clock = () => performance.now()) {
    this.#ask = ask;
    this.#clock = clock;
  }

  /** Returns the one finding, or none; may be called at any time. */
  take(): readonly Finding[] {
    if (this.#clock() - this.#askedAt < everyMs) return [];
    this.#askedAt = this.#clock();
    const finding = this.#ask();
    const lasts = this.#wasFound;
    this.#wasFound = finding !== undefined;
    return finding !== undefined && lasts ? [finding] : [];
  }
}
