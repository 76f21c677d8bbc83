/**
 * Cuts received bytes into packets: a length of three bytes, a number that counts up, and the content. Source: MariaDB
 * Server Documentation, "0-Packet".
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { ByteQueue } from './byte-queue.ts';

/** The size up to which a reply is read. */
export const replyBytesMax = 16 * 2 ** 20;
const headBytes = 4;
/** A packet of this length continues in the next one: no reply to us is so long. */
const continued = 0xffffff;

export class Packets {
  readonly #queue = new ByteQueue();
  #received = 0;
  #next = 0;

  /** Begins the next exchange: its reply begins with a packet of this number. */
  expect(number: number): void {
    this.#next = number;
    this.#received = 0;
  }

  /** The number that the client's next packet of this exchange needs. */
  get number(): number {
    return this.#next;
  }

  /** Counts a packet that the client has sent within the exchange. */
  sent(): void {
    this.#next = (this.#next + 1) & 0xff;
  }

  /** Returns the contents of the packets that are complete now. An error ends the connection. */
  push(chunk: Uint8Array): Result<readonly Uint8Array[], Cause> {
    this.#queue.add(chunk);
    this.#received += chunk.length;
    if (this.#received > replyBytesMax) return fail({ reason: 'its reply is too long' });
    const packets: Uint8Array[] = [];
    for (;;) {
      const length = this.#contentLength();
      if (!length.ok) return length;
      if (length.value === undefined || this.#queue.length < headBytes + length.value)
        return ok(packets);
      const packet = this.#queue.take(headBytes + length.value);
      if (packet[3] !== this.#next) return fail({ reason: 'its packets are not in order' });
      this.sent();
      packets.push(packet.subarray(headBytes));
    }
  }

  #contentLength(): Result<number | undefined, Cause> {
    const head = this.#queue.peek(headBytes);
    if (head === undefined) return ok(undefined);
    const [low = 0, middle = 0, high = 0] = head;
    const length = low + middle * 2 ** 8 + high * 2 ** 16;
    return length === continued ? fail({ reason: 'a packet is too long' }) : ok(length);
  }
}

/** Returns a packet of the client. */
export function packetOf(content: Uint8Array, number: number): Uint8Array {
  const { length } = content;
  const packet = new Uint8Array(headBytes + length);
  packet.set([length & 0xff, (length >> 8) & 0xff, (length >> 16) & 0xff, number]);
  packet.set(content, headBytes);
  return packet;
}
