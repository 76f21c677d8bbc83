/**
 * Distinguished Encoding Rules: tag, length and contents, one inside the other.
 *
 * Only what PKCS#7 needs: tags below 31 and definite lengths. Nothing here recurses; a caller goes
 * down level by level and asks for what must be there. Source: ITU-T X.690.
 */
import { FormatError } from './bytes.ts';

export const derTags = {
  integer: 0x02,
  octets: 0x04,
  object: 0x06,
  sequence: 0x30,
  set: 0x31,
} as const;
/** Returns the tag of `[number]` in the context; constructed unless it holds plain bytes. */
export const contextTag = (number: number, constructed = true): number =>
  (constructed ? 0xa0 : 0x80) | number;

export interface DerValue {
  readonly tag: number;
  /** The offsets of the tag and of the contents' start and end, in the given bytes. */
  readonly start: number;
  readonly contentsAt: number;
  readonly end: number;
}

/** More elements than this in one level are not read. */
const childrenMax = 256;

export class DerReader {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Reads the value at a place, which must end before `end`. Throws `FormatError`. */
  value(at: number, end: number = this.bytes.length): DerValue {
    const tag = this.bytes[at];
    const first = this.bytes[at + 1];
    if (at + 2 > end || tag === undefined || first === undefined)
      throw new FormatError('ends in the middle of a value', at);
    if ((tag & 0x1f) === 0x1f) throw new FormatError('has a tag of several bytes', at);
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    if (first === 0x80 || lengthBytes > 4) throw new FormatError('has a length without end', at);
    const contentsAt = at + 2 + lengthBytes;
    let length = first < 0x80 ? first : 0;
    for (let index = 0; index < lengthBytes; index++) {
      length = length * 256 + (this.bytes[at + 2 + index] ?? 0);
    }
    if (contentsAt + length > end) {
      throw new FormatError(`has a value of ${length} bytes that ends outside its container`, at);
    }
    return { tag, start: at, contentsAt, end: contentsAt + length };
  }

  children(parent: DerValue): DerValue[] {
    const values: DerValue[] = [];
    for (let at = parent.contentsAt; at < parent.end;) {
      if (values.length === childrenMax) {
        throw new FormatError(`has more than ${childrenMax} values in one`, parent.start);
      }
      const value = this.value(at, parent.end);
      values.push(value);
      at = value.end;
    }
    return values;
  }

  contents(value: DerValue): Uint8Array {
    return this.bytes.subarray(value.contentsAt, value.end);
  }

  /** Reads an object identifier as dotted decimal. Throws `FormatError`. */
  objectId(value: DerValue): string {
    expectTag(value, derTags.object);
    const parts: number[] = [];
    let part = 0;
    for (const byte of this.contents(value)) {
      part = part * 128 + (byte & 0x7f);
      if (part > Number.MAX_SAFE_INTEGER / 128 || parts.length > 32)
        throw new FormatError('has an object identifier that is too long', value.start);
      if (byte < 0x80) {
        parts.push(part);
        part = 0;
      }
    }
    const first = parts.shift();
    if (first === undefined) throw new FormatError('has an empty object identifier', value.start);
    const root = Math.min(2, Math.floor(first / 40));
    return [root, first - root * 40, ...parts].join('.');
  }
}

export function expectTag(value: DerValue | undefined, tag: number): DerValue {
  if (value === undefined) throw new FormatError('lacks a value', 0);
  if (value.tag !== tag) {
    throw new FormatError(
      `has a value of tag 0x${value.tag.toString(16)} instead of 0x${tag.toString(16)}`,
      value.start,
    );
  }
  return value;
}
