/** Reads the fields of a packet of MariaDB or MySQL. Source: MariaDB Server Documentation, "Protocol Data Types". */
import { ByteFields, decodeField } from './byte-fields.ts';

export class Fields extends ByteFields {
  /** Returns an integer of 1 to 6 bytes, the lowest first. */
  integer(size: number): number | undefined {
    const bytes = this.bytes(size);
    return bytes?.reduceRight((sum, byte) => sum * 256 + byte, 0);
  }

  /** Returns an integer of a length that its first byte states. */
  lengthInteger(): number | undefined {
    const first = this.integer(1);
    if (first === undefined || first < nullMark) return first;
    const size = lengthSizes.get(first);
    return size === undefined ? this.cut() : this.integer(size);
  }

  /** Returns a text with its length before it; null for SQL's NULL. */
  text(): string | null | undefined {
    if (this.next() === nullMark) {
      this.bytes(1);
      return null;
    }
    const length = this.lengthInteger();
    const bytes = length === undefined ? undefined : this.bytes(length);
    return bytes && decodeField(bytes);
  }
}

const nullMark = 0xfb;
/** A length of eight bytes is more than any packet has. */
const lengthSizes: ReadonlyMap<number, number> = new Map([
  [0xfc, 2],
  [0xfd, 3],
]);
