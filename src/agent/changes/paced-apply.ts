/**
 * Applies the policy for changes of tenants and resellers: the first change at once, the changes of the next seconds
 * together.
 */
const defaultPause = 10_000;

export class PacedApply implements Disposable {
  readonly #apply: () => Promise<void>;
  readonly #pauseMilliseconds: number;
  #next: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #endedAt = -Infinity;

  constructor(apply: () => Promise<void>, pauseMilliseconds = defaultPause) {
    this.#apply = apply;
    this.#pauseMilliseconds = pauseMilliseconds;
  }

  /** Resolves after an apply that began after this call. */
  run(): Promise<void> {
    return (this.#next ??= this.#later());
  }

  async #later(): Promise<void> {
    // Changes that come during an apply wait for its end, together.
    await this.#running;
    const left = this.#endedAt + this.#pauseMilliseconds - performance.now();
    // Calls in the same moment are applied together in any case.
    await new Promise<void>((resolve) => {
      this.#timer = setTimeout(resolve, Math.max(0, left));
    });
    this.#next = undefined;
    const applied = this.#applyNow();
    this.#running = applied.catch(() => undefined);
    await applied;
  }

  async #applyNow(): Promise<void> {
    try {
      await this.#apply();
    } finally {
      this.#endedAt = performance.now();
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
