/**
 * The block format of Snappy, which Prometheus demands: the length of the text, then literals, and copies of what came
 * up to 64 KiB before. Source: https://github.com/google/snappy/blob/main/format_description.txt
 */

const hashBits = 14;
const offsetMax = 2 ** 16 - 1;
const copyMax = 64;
const matchMin = 4;

export function snappy(text: Uint8Array): Uint8Array {
  const { length } = text;
  // The longest result: the length, and literals with a tag and their own length.
  const out = new Output(new Uint8Array(32 + length + Math.ceil(length / 6)));
  out.varint(length);
  const view = new DataView(text.buffer, text.byteOffset, length);
  const seen = new Uint32Array(2 ** hashBits);
  let at = 0;
  let literal = 0;
  while (at + matchMin <= length) {
    const word = view.getUint32(at, true);
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - hashBits);
    // 0: nothing was seen.
    const before = (seen[slot] ?? 0) - 1;
    seen[slot] = at + 1;
    if (before < 0 || at - before > offsetMax || view.getUint32(before, true) !== word) {
      at++;
      continue;
    }
    let end = at + matchMin;
    while (end < length && text[end] === text[before + end - at]) end++;
    out.literal(text.subarray(literal, at));
    out.copy(at - before, end - at);
    at = end;
    literal = end;
  }
  out.literal(text.subarray(literal));
  return out.written();
}

class Output {
  readonly #bytes: Uint8Array;
  #length = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  varint(number: number): void {
    let rest = number;
    for (; rest > 127; rest = Math.floor(rest / 128)) this.#byte((rest % 128) | 128);
    this.#byte(rest);
  }

  /** A tag with its length, or with 63 and four bytes of its length. */
  literal(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const length = bytes.length - 1;
    if (length < 60) this.#byte(length << 2);
    else {
      this.#byte(63 << 2);
      for (let shift = 0; shift < 32; shift += 8) this.#byte((length >>> shift) & 255);
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Tags with a length up to 64 and two bytes of the offset. */
  copy(offset: number, length: number): void {
    for (let rest = length; rest > 0; rest -= copyMax) {
      this.#byte(((Math.min(rest, copyMax) - 1) << 2) | 2);
      this.#byte(offset & 255);
      this.#byte(offset >>> 8);
    }
  }

  #byte(byte: number): void {
    this.#bytes[this.#length++] = byte;
  }
}
