/**
 * The samples of the first pass over ticks, kept for the second pass if members are few. Reading
 * rows costs more than processing them.
 *
 * A sample is a slot and a code in 32 bits. At most 8 MiB; if they do not fit, they are read again.
 */
import type { TickColumns } from './tick-columns.ts';

const samplesMax = 2 ** 21;
const codeBits = 16;
const codeMask = 2 ** codeBits - 1;

export class Recording {
  #samples = new Uint32Array(2 ** 13);
  #length = 0;
  #ends: number[] = [];
  #seconds: number[] = [];
  #isWhole = true;

  /** Whether it contains everything that was added. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Clears it; its memory is reused. */
  begin(): void {
    this.#length = 0;
    this.#ends = [];
    this.#seconds = [];
    this.#isWhole = true;
  }

  /** Adds the codes of a column; `offset`: of its slots. */
  add({ slots, present }: TickColumns, codes: Uint16Array, offset: number): void {
    for (let each = 0; each < present && this.#isWhole; each++) {
      const code = codes[each] ?? 0;
      if (code === 0) continue;
      if (this.#length === this.#samples.length) this.#grow();
      this.#samples[this.#length++] = ((offset + (slots[each] ?? 0)) << codeBits) | code;
    }
  }

  /** Marks the end of one tick. */
  endTick(seconds: number): void {
    if (!this.#isWhole) return;
    this.#ends.push(this.#length);
    this.#seconds.push(seconds);
  }

  replay(visit: (slot: number, code: number, seconds: number) => void): void {
    let next = 0;
    for (const [tick, end] of this.#ends.entries()) {
      const seconds = this.#seconds[tick] ?? 0;
      for (; next < end; next++) {
        const sample = this.#samples[next] ?? 0;
        visit(sample >>> codeBits, sample & codeMask, seconds);
      }
    }
  }

  /** Drops everything if there is too much. */
  #grow(): void {
    const samples = this.#samples;
    this.#isWhole &&= samples.length < samplesMax;
    this.#length = this.#isWhole ? this.#length : 0;
    if (!this.#isWhole) return;
    this.#samples = new Uint32Array(samples.length * 4);
    this.#samples.set(samples);
  }
}
