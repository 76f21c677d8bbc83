/** Equal parts of a period, and how much of each was measured: the history of an account that began in it. */

export interface KnownHistory {
  /** The beginning of the history within the period, in milliseconds since 1970. */
  readonly since: number;
  /** How much of it was measured. */
  readonly seconds: number;
}

export class MeasuredParts {
  readonly #from: number;
  readonly #length: number;
  readonly #seconds: readonly number[];

  /** `seconds`: how much of each part was measured. */
  constructor(
    { from, to }: { readonly from: number; readonly to: number },
    seconds: readonly number[],
  ) {
    this.#from = from;
    this.#length = (to - from) / seconds.length;
    this.#seconds = seconds;
  }

  /** Returns the history since a moment, in milliseconds since 1970; undefined if there is none. */
  since(moment: number): KnownHistory | undefined {
    const shares = this.#seconds.map((seconds, part) => seconds * this.#shareAfter(moment, part));
    const first = shares.findIndex((each) => each > 0);
    if (first < 0) return undefined;
    return {
      since: Math.round(Math.max(moment, this.#from + first * this.#length)),
      seconds: shares.reduce((sum, each) => sum + each, 0),
    };
  }

  #shareAfter(moment: number, part: number): number {
    const end = this.#from + (part + 1) * this.#length;
    return Math.min(1, Math.max(0, (end - moment) / this.#length));
  }
}
