/**
 * One budget of memory for all threads that unpack: who finds too little left waits for the others.
 * Whoever wants more than there is gets all of it, and so goes alone.
 */

/** Counted in KiB, so that a number of 32 bits is enough. */
const unitBytes = 1024;

export class UnpackBudget {
  readonly #left: Int32Array;
  readonly #totalUnits: number;

  /** `memory` is shared by the threads; who makes it calls `UnpackBudget.make`. */
  constructor({ left, totalUnits }: SharedBudget) {
    this.#left = new Int32Array(left);
    this.#totalUnits = totalUnits;
  }

  static make(totalBytes: number): SharedBudget {
    const totalUnits = Math.floor(totalBytes / unitBytes);
    const left = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    new Int32Array(left)[0] = totalUnits;
    return { left, totalUnits };
  }

  /**
   * Returns when there is room. A thread holds one reservation at a time, or two could wait for
   * each other.
   */
  reserve(bytes: number): Disposable {
    const units = Math.min(Math.ceil(bytes / unitBytes), this.#totalUnits);
    for (;;) {
      const left = Atomics.load(this.#left, 0);
      if (left < units) Atomics.wait(this.#left, 0, left);
      else if (Atomics.compareExchange(this.#left, 0, left, left - units) === left) break;
    }
    return { [Symbol.dispose]: () => this.#giveBack(units) };
  }

  #giveBack(units: number): void {
    Atomics.add(this.#left, 0, units);
    Atomics.notify(this.#left, 0);
  }
}

/** What goes to each thread. */
export interface SharedBudget {
  readonly left: SharedArrayBuffer;
  readonly totalUnits: number;
}
