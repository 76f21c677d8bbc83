/**
 * Reads the fields of a message. Each method returns undefined if the message is too short for the field, and so do all
 * calls after that.
 */
// A byte order mark is part of a name.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export class MessageFields {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Returns an integer of 2 or 4 bytes, with its sign. */
  integer(size: 2 | 4): number | undefined {
    const bytes = this.bytes(size);
    if (bytes === undefined) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return size === 2 ? view.getInt16(0) : view.getInt32(0);
  }

  bytes(count: number): Uint8Array | undefined {
    const end = this.#at + count;
    if (count < 0 || end > this.#bytes.length) {
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

  /** Returns the text before the next zero, which must follow. */
  zeroTerminated(): string | undefined {
    const end = this.#at === Infinity ? -1 : this.#bytes.indexOf(0, this.#at);
    if (end < 0) {
      this.#at = Infinity;
      return undefined;
    }
    const text = decoder.decode(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return text;
  }

  /** Returns a value with its length before it; null for SQL's NULL. */
  value(): string | null | undefined {
    const length = this.integer(4);
    if (length === -1) return null;
    const bytes = length === undefined ? undefined : this.bytes(length);
    return bytes && decoder.decode(bytes);
  }
}
