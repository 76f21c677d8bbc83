/** Reads the fields of a message of PostgreSQL. */
import { ByteFields, decodeField } from '../byte-fields.ts';

export class MessageFields extends ByteFields {
  /** Returns an integer of 2 or 4 bytes, with its sign. */
  integer(size: 2 | 4): number | undefined {
    const bytes = this.bytes(size);
    if (bytes === undefined) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return size === 2 ? view.getInt16(0) : view.getInt32(0);
  }

  /** Returns a value with its length before it; null for SQL's NULL. */
  value(): string | null | undefined {
    const length = this.integer(4);
    if (length === -1) return null;
    const bytes = length === undefined ? undefined : this.bytes(length);
    return bytes && decodeField(bytes);
  }
}
