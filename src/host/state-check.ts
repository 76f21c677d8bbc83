/**
 * Asks once a minute whether something is as it should be. It tells what two answers in a row have found, since a command that
 * changes it may be between two of its steps at one of them.
 */
const everyMs = 60_000;

export class StateCheck<Finding> {
  readonly #ask: () => Finding | undefined;
  readonly #clock: () => number;
  #askedAt = -Infinity;
  #wasFound = false;

  /** `clock`: monotonic, in milliseconds. */
  constructor(ask: () => Finding | undefined, clock = () => performance.now()) {
    this.#ask = ask;
    this.#clock = clock;
  }

  /** Empty, or the one finding; may be called at any time. */
  take(): readonly Finding[] {
    if (this.#clock() - this.#askedAt < everyMs) return [];
    this.#askedAt = this.#clock();
    const finding = this.#ask();
    const lasts = this.#wasFound;
    this.#wasFound = finding !== undefined;
    return finding !== undefined && lasts ? [finding] : [];
  }
}
