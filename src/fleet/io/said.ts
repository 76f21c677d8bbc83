/**
 * Keeps a log readable while something fails again and again: a problem is new unless it was said within the last hour,
 * whatever else was said in between.
 */
const quietMilliseconds = 3_600_000;
const textsMax = 64;

export class Said {
  readonly #times = new Map<string, number>();

  /** Returns whether to say the text now. `now`: monotonic milliseconds. */
  isNew(text: string, now = performance.now()): boolean {
    // How long something will take yet makes no other problem of it.
    const lasting = text.replaceAll(/\b\d+ s\b/g, '');
    const time = this.#times.get(lasting);
    if (time !== undefined && now - time < quietMilliseconds) return false;
    this.#times.delete(lasting);
    this.#times.set(lasting, now);
    const [oldest] = this.#times.keys();
    if (this.#times.size > textsMax && oldest !== undefined) this.#times.delete(oldest);
    return true;
  }

  /** Forgets all: the next text is new, since all went well. */
  clear(): void {
    this.#times.clear();
  }
}
