/**
 * Names inside an object file: sections, symbols, exports.
 *
 * Every module of a kernel has the same few thousand names, so the texts are shared. Names may
 * overlap in the file, and a hostile file can point a million symbols at one long name. So the sum
 * of bytes read is bounded by a multiple of the file.
 */
import { FormatError, bytesAsText } from './bytes.ts';

/** The longest name in bytes; the kernel itself stops at 512 (KSYM_NAME_LEN). */
const nameBytesMax = 4096;
/** More text than the names of any module have, however large the file. */
const textBytesMax = 64 * 2 ** 20;
const sharedBytesMax = 64;
const sharedSlots = 2 ** 16;
const shared: string[] = Array.from({ length: sharedSlots }, () => '');

export class NameReader {
  readonly #bytes: Uint8Array;
  #budget: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#budget = Math.min(bytes.length * 4 + 2 ** 16, textBytesMax);
  }

  /**
   * Reads the text up to the next NUL, or to `end`, which must be within the file. Throws
   * `FormatError`.
   */
  read(start: number, end: number): string {
    const bytes = this.#bytes;
    const stop = Math.min(end, start + nameBytesMax + 1);
    let hash = 0;
    let all = 0;
    let at = start;
    for (; at < stop; at++) {
      const byte = bytes[at]!;
      if (byte === 0) break;
      hash = Math.imul(hash ^ byte, 0x0100_0193);
      all |= byte;
    }
    const length = at - start;
    this.#spend(length, start);
    if (length > sharedBytesMax || all > 0x7f) return bytesAsText(bytes.subarray(start, at));
    const slot = (hash ^ (hash >>> 15)) & (sharedSlots - 1);
    const known = shared[slot]!;
    if (isTextAt(known, bytes, start, length)) return known;
    const text = asciiText(bytes, start, at);
    shared[slot] = text;
    return text;
  }

  #spend(length: number, at: number): void {
    if (length > nameBytesMax) {
      throw new FormatError(`has a name of more than ${nameBytesMax} bytes`, at);
    }
    this.#budget -= length;
    if (this.#budget < 0) throw new FormatError('has more text in names than a file can hold', at);
  }
}

/** Whether bytes are this text, which is ASCII. */
function isTextAt(text: string, bytes: Uint8Array, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let index = 0; index < length; index++) {
    if (text.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}

/** Returns a flat string, unlike one made by appending. */
function asciiText(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode.apply(null, Array.from(bytes.subarray(start, end)));
}
