/**
 * Searches many bytes for any of a few words, ignoring case, and skips most of them.
 *
 * It uses Wu and Manber's method. For the two bytes under the end of a window, a table has how far
 * the window can move before a word could begin there.
 */
export class WordSearch {
  readonly #words: readonly string[];
  readonly #lower: readonly Uint8Array[];
  readonly #window: number;
  readonly #shifts: Uint8Array;
  /** Words that may end at the window, by the two bytes at its end. */
  readonly #candidates = new Map<number, number[]>();

  /** Takes words of at least 4 ASCII letters each, in lower case. */
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
    this.#lower.forEach((word, index) => {
      const key = (word[this.#window - 2]! << 8) | word[this.#window - 1]!;
      this.#candidates.set(key, [...(this.#candidates.get(key) ?? []), index]);
    });
  }

  /** Adds the words that occur. Compares each word at most once per byte. */
  find(bytes: Uint8Array, start: number, end: number, found: Set<string>): void {
    const shifts = this.#shifts;
    const width = this.#window;
    let at = start + width - 2;
    while (at + 1 < end) {
      const key = (lower[bytes[at]!]! << 8) | lower[bytes[at + 1]!]!;
      const shift = shifts[key]!;
      if (shift === 0) {
        this.#match(key, bytes, at + 2 - width, end, found);
        at++;
      } else at += shift;
    }
  }

  #match(key: number, bytes: Uint8Array, start: number, end: number, found: Set<string>): void {
    for (const index of this.#candidates.get(key) ?? []) {
      if (isAt(this.#lower[index]!, bytes, start, end)) found.add(this.#words[index]!);
    }
  }
}

function isAt(word: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (start + word.length > end) return false;
  for (let at = 0; at < word.length; at++) {
    if (lower[bytes[start + at]!] !== word[at]) return false;
  }
  return true;
}

const lower = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte,
);
