/** Cuts received bytes into messages, and skips messages that are too long. */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { extentOf, readMessage, type Extent, type Message } from './message.ts';

/**
 * The size up to which a message is kept. Any account may send us signals, but no reply of systemd is near this size.
 */
const keptBytesMax = 16 * 2 ** 20;

export class MessageStream {
  #chunks: Buffer[] = [];
  #length = 0;
  /** The remaining bytes of the message that is being skipped. */
  #toSkip = 0;
  /** The extent of the current message, once its first bytes have come. */
  #extent: Extent | undefined;

  /** Returns the messages that are complete now. An error ends the stream: the start of the next message is unknown. */
  push(chunk: Buffer): Result<readonly Message[], Cause> {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const messages: Message[] = [];
    for (;;) {
      this.#skip();
      if (this.#toSkip > 0) return ok(messages);
      const extent = this.#begin();
      if (!extent.ok) return extent;
      if (extent.value === undefined) return ok(messages);
      if (!isKept(extent.value)) {
        if (isAwaited(extent.value)) return fail({ reason: 'a reply is too long' });
        this.#toSkip = extent.value.bytes;
        this.#extent = undefined;
        continue;
      }
      if (this.#length < extent.value.bytes) return ok(messages);
      const message = readMessage(this.#take(extent.value.bytes));
      this.#extent = undefined;
      if (message.ok) messages.push(message.value);
      else if (isAwaited(extent.value)) return message;
    }
  }

  #begin(): Result<Extent | undefined, Cause> {
    if (this.#extent !== undefined || this.#length === 0) return ok(this.#extent);
    const extent = extentOf(this.#joined());
    if (extent.ok) this.#extent = extent.value;
    return extent;
  }

  #skip(): void {
    if (this.#toSkip === 0) return;
    const count = Math.min(this.#toSkip, this.#length);
    this.#take(count);
    this.#toSkip -= count;
  }

  #joined(): Buffer {
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#chunks = [bytes];
    return bytes;
  }

  #take(count: number): Buffer {
    const bytes = this.#joined();
    this.#chunks = count === bytes.length ? [] : [bytes.subarray(count)];
    this.#length -= count;
    return bytes.subarray(0, count);
  }
}

const isKept = ({ bytes, readable }: Extent) => readable && bytes <= keptBytesMax;

/** Whether somebody waits for the message, so that it cannot be skipped. */
const isAwaited = ({ kind }: Extent) => kind === 'return' || kind === 'error';
