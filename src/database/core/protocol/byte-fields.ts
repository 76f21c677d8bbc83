/**
 * Reads the fields of a message of a server. Each method returns undefined if the message is too short for the field, and
 * so do all calls after that.
 */
// A byte order mark is part of a name.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export const decodeField = (bytes: Uint8Array): string => decoder.decode(bytes);

export class ByteFields {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  bytes(count: number): Uint8Array | undefined {
    const end = this.#at + count;
    if (count < 0 || end > this.#bytes.length) return this.cut();
    const found = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return found;
  }

  rest(): Uint8Array | undefined {
    return this.bytes(Math.max(0, this.#bytes.length - this.#at));
  }

  /** Returns the text before the next zero, which must follow. */
  zeroTerminated(): string | undefined {
    const end = this.#at === Infinity ? -1 : this.#bytes.indexOf(0, this.#at);
    if (end < 0) return this.cut();
    const text = decodeField(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return text;
  }

  /** Returns the next byte, and stays before it. */
  protected next(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** Ends the reading: the rest cannot be understood. */
  protected cut(): undefined {
    this.#at = Infinity;
  }
}
