/**
 * Looks for any of a few words in many bytes, without regard to case, and skips most of them.
 *
 * Wu and Manber's method: a table tells, for the two bytes under the end of a window, how far the window can
 * move before one of the words could begin there.
 */
export class WordSearch {
  readonly #words: readonly string[];
  readonly #lower: readonly Uint8Array[];
  readonly #window: number;
  readonly #shifts: Uint8Array;

  /** Each of at least 4 ASCII letters, in lower case where case does not matter. */
  constructor(words: readonly string[]) {
    this.#words = words;
    this.#lower = words.map((word) => new TextEncoder().encode(word.toLowerCase()));
    this.#window = Math.min(...this.#lower.map((word) => word.length));
    this.#shifts = new Uint8Array(2 ** 16).fill(this.#window - 1);
    for (const word of this.#lower) {
      for (let at = 0; at + 1 < this.#window; at++) {
        const key = (word[at]! << 8) | word[at + 1]!;
        this.#shifts[key] = Math.min(this.#shifts[key]!, this.#window - 2 - at);
      }
    }
  }

  /** Adds the words that are there. At most one comparison a word and byte. */
  find(bytes: Uint8Array, start: number, end: number, found: Set<string>): void {
    const shifts = this.#shifts;
    const width = this.#window;
    let at = start + width - 2;
    while (at + 1 < end) {
      const shift = shifts[(lower[bytes[at]!]! << 8) | lower[bytes[at + 1]!]!]!;
      if (shift === 0) {
        this.#match(bytes, at + 2 - width, end, found);
        at++;
      } else at += shift;
    }
  }

  #match(bytes: Uint8Array, start: number, end: number, found: Set<string>): void {
    this.#lower.forEach((word, index) => {
      if (start + word.length > end) return;
      for (let at = 0; at < word.length; at++) {
        if (lower[bytes[start + at]!] !== word[at]) return;
      }
      found.add(this.#words[index]!);
    });
  }
}

const lower = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte,
);
