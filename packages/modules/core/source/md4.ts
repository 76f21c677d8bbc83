/**
 * The digest of `srcversion`: MD4 (RFC 1320) as modpost has it. The words of a block are read
 * big-endian, the words of the digest written little-endian. "abc" gives
 * C719445509BC140AF62F422D3A293407. Source: scripts/mod/sumversion.c of the kernel.
 */
const blockBytes = 64;
const rootTwo = 0x5a827999;
const rootThree = 0x6ed9eba1;

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

export class Md4 {
  readonly #state = new Int32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]);
  readonly #words = new Int32Array(16);
  readonly #pending = new Uint8Array(blockBytes);
  #pendingBytes = 0;
  #totalBytes = 0;

  update(bytes: Uint8Array): this {
    this.#totalBytes += bytes.length;
    let at = 0;
    if (this.#pendingBytes > 0) {
      at = Math.min(blockBytes - this.#pendingBytes, bytes.length);
      this.#pending.set(bytes.subarray(0, at), this.#pendingBytes);
      this.#pendingBytes += at;
      if (this.#pendingBytes < blockBytes) return this;
      this.#block(this.#pending, 0);
      this.#pendingBytes = 0;
    }
    for (; at + blockBytes <= bytes.length; at += blockBytes) this.#block(bytes, at);
    this.#pending.set(bytes.subarray(at));
    this.#pendingBytes = bytes.length - at;
    return this;
  }

  /** Returns 32 hexadecimal digits, upper case, and ends the digest. */
  hex(): string {
    const pending = this.#pending;
    pending.fill(0, this.#pendingBytes);
    pending[this.#pendingBytes] = 0x80;
    if (this.#pendingBytes + 1 > blockBytes - 8) {
      this.#block(pending, 0);
      pending.fill(0);
    }
    this.#load(pending, 0);
    this.#words[14] = this.#totalBytes * 8;
    this.#words[15] = Math.floor(this.#totalBytes / 2 ** 29);
    this.#transform();
    const digest = new DataView(new ArrayBuffer(16));
    this.#state.forEach((word, index) => digest.setInt32(index * 4, word, true));
    return Array.from(new Uint8Array(digest.buffer), (byte) => byte.toString(16).padStart(2, '0'))
      .join('')
      .toUpperCase();
  }

  #block(bytes: Uint8Array, offset: number): void {
    this.#load(bytes, offset);
    this.#transform();
  }

  #load(bytes: Uint8Array, offset: number): void {
    for (let word = 0, at = offset; word < 16; word++, at += 4) {
      this.#words[word] =
        (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    }
  }

  #transform(): void {
    const [state, words] = [this.#state, this.#words];
    let [a, b, c, d] = [state[0]!, state[1]!, state[2]!, state[3]!];
    for (let i = 0; i < 16; i += 4) {
      a = rotate((a + ((b & c) | (~b & d)) + words[i]!) | 0, 3);
      d = rotate((d + ((a & b) | (~a & c)) + words[i + 1]!) | 0, 7);
      c = rotate((c + ((d & a) | (~d & b)) + words[i + 2]!) | 0, 11);
      b = rotate((b + ((c & d) | (~c & a)) + words[i + 3]!) | 0, 19);
    }
    for (let i = 0; i < 4; i++) {
      a = rotate((a + ((b & c) | (b & d) | (c & d)) + words[i]! + rootTwo) | 0, 3);
      d = rotate((d + ((a & b) | (a & c) | (b & c)) + words[i + 4]! + rootTwo) | 0, 5);
      c = rotate((c + ((d & a) | (d & b) | (a & b)) + words[i + 8]! + rootTwo) | 0, 9);
      b = rotate((b + ((c & d) | (c & a) | (d & a)) + words[i + 12]! + rootTwo) | 0, 13);
    }
    for (const i of [0, 2, 1, 3]) {
      a = rotate((a + (b ^ c ^ d) + words[i]! + rootThree) | 0, 3);
      d = rotate((d + (a ^ b ^ c) + words[i + 8]! + rootThree) | 0, 9);
      c = rotate((c + (d ^ a ^ b) + words[i + 4]! + rootThree) | 0, 11);
      b = rotate((b + (c ^ d ^ a) + words[i + 12]! + rootThree) | 0, 15);
    }
    state[0] = state[0]! + a;
    state[1] = state[1]! + b;
    state[2] = state[2]! + c;
    state[3] = state[3]! + d;
  }
}
