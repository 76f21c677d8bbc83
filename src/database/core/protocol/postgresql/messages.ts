/**
 * Cuts received bytes into messages: a letter, a length of four bytes that counts itself, and the content. Source:
 * PostgreSQL's manual, "Frontend/Backend Protocol", "Message Formats".
 */
import type { Cause } from '../../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../../packages/base/result.ts';
import { ByteQueue } from '../byte-queue.ts';
import { replyBytesMax } from '../packets.ts';

export interface Message {
  /** Its letter: `D` for a row, `E` for an error. */
  readonly kind: string;
  readonly content: Uint8Array;
}

const headBytes = 5;
const lengthBytes = 4;

export class Messages {
  readonly #queue = new ByteQueue();
  #received = 0;

  /** Begins the next exchange, whose reply may be as long as the one before. */
  begin(): void {
    this.#received = 0;
  }

  /** Returns the messages that are complete now. An error ends the connection. */
  push(chunk: Uint8Array): Result<readonly Message[], Cause> {
    this.#queue.add(chunk);
    this.#received += chunk.length;
    if (this.#received > replyBytesMax) return fail({ reason: 'its reply is too long' });
    const messages: Message[] = [];
    for (;;) {
      const head = this.#queue.peek(headBytes);
      if (head === undefined) return ok(messages);
      const length = new DataView(head.buffer, head.byteOffset).getInt32(1);
      if (length < lengthBytes || length > replyBytesMax)
        return fail({ reason: 'a message has a length that is not possible' });
      if (this.#queue.length < length + 1) return ok(messages);
      const [letter = 0] = head;
      const content = this.#queue.take(length + 1).subarray(headBytes);
      messages.push({ kind: String.fromCharCode(letter), content });
    }
  }
}

const encoder = new TextEncoder();

/** Returns a message of the client. */
export function messageOf(kind: string, content: Uint8Array): Uint8Array {
  const head = new Uint8Array(headBytes);
  head.set(encoder.encode(kind));
  new DataView(head.buffer).setInt32(1, content.length + lengthBytes);
  return new Uint8Array([...head, ...content]);
}

/** Returns a text with the zero that ends it. */
export const textOf = (text: string): Uint8Array => encoder.encode(`${text}\0`);
