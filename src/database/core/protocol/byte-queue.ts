/** Received bytes that are taken from the front, whatever chunks they came in. */
export class ByteQueue {
  #chunks: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** Returns the first bytes and leaves them; undefined if there are fewer. */
  peek(count: number): Uint8Array | undefined {
    if (this.#length < count) return undefined;
    if ((this.#chunks[0]?.length ?? 0) < count) this.#join();
    return this.#chunks[0]?.subarray(0, count);
  }

  /** Takes the first bytes, of which there must be as many. */
  take(count: number): Uint8Array {
    const taken = this.peek(count) ?? new Uint8Array();
    const [first = new Uint8Array(), ...others] = this.#chunks;
    const rest = first.subarray(count);
    this.#chunks = rest.length === 0 ? others : [rest, ...others];
    this.#length -= count;
    return taken;
  }

  #join(): void {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [all];
  }
}
