/**
 * Binary texts of SSH: numbers of 32 bits and strings with their length before them, big-endian. Source: RFC 4251,
 * section 5.
 */

/** Reads from the start. What is not there is read as empty, and `isWhole` is false from then on. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;
  #isShort = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Whether everything was there, and nothing is left. */
  get isWhole(): boolean {
    return !this.#isShort && this.#at === this.#bytes.length;
  }

  bytes(count: number): Buffer {
    const end = this.#at + count;
    if (this.#isShort || end > this.#bytes.length) {
      this.#isShort = true;
      return Buffer.alloc(0);
    }
    const read = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return read;
  }

  number(): number {
    const read = this.bytes(4);
    return read.length === 4 ? read.readUInt32BE() : 0;
  }

  string(): Buffer {
    return this.bytes(this.number());
  }

  /** A string of ASCII characters. */
  text(): string {
    return this.string().toString('latin1');
  }

  /** A positive number of any size without its leading zero; empty if it is not in its shortest form. */
  positive(): Buffer {
    const bytes = this.string();
    const [first = 0, second = 0] = bytes;
    if (first !== 0) return first < 0x80 ? bytes : Buffer.alloc(0);
    return second >= 0x80 ? bytes.subarray(1) : Buffer.alloc(0);
  }
}

export function wireString(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
