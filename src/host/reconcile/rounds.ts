/** Runs a round of a part's work every so often, and never two at once. The agent's tick calls it. */
export class Rounds {
  readonly #everyMs: number;
  readonly #round: () => void | Promise<void>;
  readonly #clock: () => number;
  #next = -Infinity;
  #isBusy = false;

  /** Creates them. `clock`: monotonic, in milliseconds. */
  constructor(everyMs: number, round: () => void | Promise<void>, clock = () => performance.now()) {
    this.#everyMs = everyMs;
    this.#round = round;
    this.#clock = clock;
  }

  /** Makes the next tick run a round. */
  soon(): void {
    this.#next = -Infinity;
  }

  tick(): void {
    const now = this.#clock();
    if (this.#isBusy || now < this.#next) return;
    this.#next = now + this.#everyMs;
    void this.#run();
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    try {
      await this.#round();
    } finally {
      this.#isBusy = false;
    }
  }
}
