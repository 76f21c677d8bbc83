/**
 * Messages of two processes on a pipe: each is its length, four bytes, and then so many bytes as v8.serialize writes them.
 */
import { deserialize, serialize } from 'node:v8';

const headBytes = 4;

export function frameOf(message: unknown): Buffer {
  const body = serialize(message);
  const head = Buffer.alloc(headBytes);
  head.writeUInt32LE(body.length);
  return Buffer.concat([head, body]);
}

/** Collects chunks of bytes until there is a whole message. */
export class Frames {
  readonly #bytesMax: number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  /** `bytesMax`: of one message. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Adds a chunk, and returns the messages that are whole now. Throws if one is too long or no message. */
  add(chunk: Buffer): readonly unknown[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const messages: unknown[] = [];
    for (let body = this.#take(); body !== undefined; body = this.#take())
      messages.push(deserialize(body));
    return messages;
  }

  #take(): Buffer | undefined {
    const length = this.#length();
    if (length === undefined || this.#bytes < headBytes + length) return undefined;
    const all = this.#joined();
    const rest = all.subarray(headBytes + length);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
    return all.subarray(headBytes, headBytes + length);
  }

  #length(): number | undefined {
    if (this.#bytes < headBytes) return undefined;
    const first = this.#chunks[0];
    const head = first !== undefined && first.length >= headBytes ? first : this.#joined();
    const length = head.readUInt32LE();
    if (length > this.#bytesMax) throw new Error(`a message of ${length} bytes is too long`);
    return length;
  }

  #joined(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}
