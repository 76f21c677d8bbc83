/** Splits chunks of bytes into lines, each of a bounded length. */
const lineEnd = 0x0a;

export class Lines {
  readonly #bytesMax: number;
  readonly #each: (line: string) => void;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(bytesMax: number, each: (line: string) => void) {
    this.#bytesMax = bytesMax;
    this.#each = each;
  }

  /** Adds a chunk. Returns false if a line is too long; its bytes so far are dropped. */
  add(chunk: Buffer): boolean {
    let start = 0;
    for (let end = chunk.indexOf(lineEnd); end >= 0; end = chunk.indexOf(lineEnd, start)) {
      this.#keep(chunk.subarray(start, end));
      const line = Buffer.concat(this.#parts).toString('utf8');
      this.#forget();
      this.#each(line);
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    if (this.#bytes <= this.#bytesMax) return true;
    this.#forget();
    return false;
  }

  #keep(part: Buffer): void {
    if (part.length > 0) this.#parts.push(part);
    this.#bytes += part.length;
  }

  #forget(): void {
    this.#parts = [];
    this.#bytes = 0;
  }
}
