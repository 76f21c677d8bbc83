/**
 * One memory budget for all threads that unpack: a thread that finds too little left waits for the
 * others. A request above the whole budget gets all of it, and so runs by itself.
 */

/** The unit is KiB, so that a number of 32 bits is enough. */
const unitBytes = 1024;

export class UnpackBudget {
  readonly #left: Int32Array;
  readonly #totalUnits: number;

  /** Joins a budget. `memory` is shared by the threads; its creator calls `UnpackBudget.make`. */
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
   * Waits until there is enough memory left. A thread holds one reservation at a time, or two could
   * wait for each other.
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

/** The part of a budget that each thread gets. */
export interface SharedBudget {
  readonly left: SharedArrayBuffer;
  readonly totalUnits: number;
}
