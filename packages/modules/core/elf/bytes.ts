/**
 * Bounded reading of bytes that somebody else wrote.
 *
 * Every read is checked against the end; one that does not fit throws a `FormatError` with the
 * offset. The entry point of each format (`readElf`, `readModule`, …) turns it into a value.
 */

/** The place where the bytes stopped making sense. The offset counts from the start of the file. */
export interface FormatProblem {
  readonly message: string;
  readonly offset: number;
}

export class FormatError extends Error implements FormatProblem {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
/** The most arguments that one call takes. */
const piece = 4096;

/** Decodes in pieces: an array of one text a byte would take a hundred times the memory. */
function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += piece) {
    text += String.fromCharCode.apply(null, Array.from(bytes.subarray(at, at + piece)));
  }
  return text;
}

/**
 * Returns bytes as text: UTF-8 if they are that, otherwise a character a byte, so that no two
 * inputs give one text.
 */
export function bytesAsText(bytes: Uint8Array): string {
  const text = utf8.decode(bytes);
  return text.includes('\ufffd') ? latin1(bytes) : text;
}

export class ByteView {
  readonly bytes: Uint8Array;
  readonly littleEndian: boolean;
  /**
   * The file's bytes, checked only against the end of the file: for loops that have checked their
   * bounds once.
   */
  readonly data: DataView;

  constructor(bytes: Uint8Array, littleEndian: boolean) {
    this.bytes = bytes;
    this.littleEndian = littleEndian;
    this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  #check(offset: number, size: number): void {
    if (offset < 0 || offset + size > this.bytes.length) {
      throw new FormatError(
        `ends after ${this.bytes.length} bytes, in the middle of a value`,
        offset,
      );
    }
  }

  u8(offset: number): number {
    this.#check(offset, 1);
    return this.data.getUint8(offset);
  }

  u16(offset: number): number {
    this.#check(offset, 2);
    return this.data.getUint16(offset, this.littleEndian);
  }

  u32(offset: number): number {
    this.#check(offset, 4);
    return this.data.getUint32(offset, this.littleEndian);
  }

  i32(offset: number): number {
    this.#check(offset, 4);
    return this.data.getInt32(offset, this.littleEndian);
  }

  /** Reads a 64-bit value as a number: values that no file can reach lose their last digits. */
  u64(offset: number): number {
    const first = this.u32(offset);
    const second = this.u32(offset + 4);
    return this.littleEndian ? second * 2 ** 32 + first : first * 2 ** 32 + second;
  }

  /** Reads a 64-bit value in two's complement, exact up to 2^53. */
  i64(offset: number): number {
    const low = this.u32(this.littleEndian ? offset : offset + 4);
    const high = this.i32(this.littleEndian ? offset + 4 : offset);
    return high * 2 ** 32 + low;
  }

  slice(offset: number, size: number): Uint8Array {
    this.#check(offset, size);
    return this.bytes.subarray(offset, offset + size);
  }

  /** Reads the text up to the next NUL, or to `end`. */
  text(offset: number, end: number = this.bytes.length): string {
    this.#check(offset, 0);
    const within = this.bytes.subarray(offset, end);
    const nul = within.indexOf(0);
    return bytesAsText(nul < 0 ? within : within.subarray(0, nul));
  }
}
