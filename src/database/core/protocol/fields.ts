/**
 * Reads the fields of a packet. Each method returns undefined if the packet is too short for the field, and so do all
 * calls after that. Source: MariaDB Server Documentation, "Protocol Data Types".
 */
// A byte order mark is part of a name.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export class Fields {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Returns an integer of 1 to 6 bytes, the lowest first. */
  integer(size: number): number | undefined {
    const bytes = this.bytes(size);
    return bytes?.reduceRight((sum, byte) => sum * 256 + byte, 0);
  }

  bytes(count: number): Uint8Array | undefined {
    const end = this.#at + count;
    if (end > this.#bytes.length) {
      this.#at = Infinity;
      return undefined;
    }
    const found = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return found;
  }

  rest(): Uint8Array | undefined {
    return this.bytes(Math.max(0, this.#bytes.length - this.#at));
  }

  /** Returns the bytes before the next zero, which must follow. */
  zeroTerminated(): string | undefined {
    const end = this.#at === Infinity ? -1 : this.#bytes.indexOf(0, this.#at);
    if (end < 0) return this.#cut();
    const text = decoder.decode(this.bytes(end - this.#at));
    this.#at += 1;
    return text;
  }

  /** Returns an integer of a length that its first byte states. */
  lengthInteger(): number | undefined {
    const first = this.integer(1);
    if (first === undefined || first < nullMark) return first;
    const size = lengthSizes.get(first);
    return size === undefined ? this.#cut() : this.integer(size);
  }

  /** Returns a text with its length before it; null for SQL's NULL. */
  text(): string | null | undefined {
    if (this.#bytes[this.#at] === nullMark) {
      this.#at += 1;
      return null;
    }
    const length = this.lengthInteger();
    const bytes = length === undefined ? undefined : this.bytes(length);
    return bytes && decoder.decode(bytes);
  }

  #cut(): undefined {
    this.#at = Infinity;
  }
}

const nullMark = 0xfb;
/** A length of eight bytes is more than any packet has. */
const lengthSizes: ReadonlyMap<number, number> = new Map([
  [0xfc, 2],
  [0xfd, 3],
]);
