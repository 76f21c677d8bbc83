/**
 * The attributes of netlink messages: written, and read from what the kernel sent. Numbers are in the byte order of the
 * machine, which is little-endian wherever Bulkhead runs.
 *
 *     0  u16 length, u16 kind, value, padded to 4 bytes      struct nlattr; the length has no padding
 *
 * Source: netlink(7), linux/netlink.h.
 */
const headBytes = 4;
/** Flags in a kind: it has attributes inside, or numbers in the byte order of the network. */
const kindMask = 0x3fff;

export const aligned = (length: number): number => (length + 3) & ~3;

export function attribute(kind: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(aligned(headBytes + value.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, headBytes + value.length, true);
  view.setUint16(2, kind, true);
  bytes.set(value, headBytes);
  return bytes;
}

export function attributeOfNumber(kind: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return attribute(kind, bytes);
}

/** A text with the NUL byte behind it. */
export const attributeOfText = (kind: number, value: string): Uint8Array =>
  attribute(kind, new TextEncoder().encode(`${value}\0`));

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The attributes of a message by kind; the last of each kind counts. What is cut is left out. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

export function readAttributes(bytes: Uint8Array): Attributes {
  const found = new Map<number, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + headBytes <= bytes.length;) {
    const length = view.getUint16(at, true);
    if (length < headBytes || at + length > bytes.length) break;
    found.set(view.getUint16(at + 2, true) & kindMask, bytes.subarray(at + headBytes, at + length));
    at += aligned(length);
  }
  return found;
}

export function numberIn(attributes: Attributes, kind: number): number | undefined {
  const value = attributes.get(kind);
  if (value === undefined || value.length < 4) return undefined;
  return new DataView(value.buffer, value.byteOffset, value.byteLength).getUint32(0, true);
}

export function textIn(attributes: Attributes, kind: number): string | undefined {
  const value = attributes.get(kind);
  return value && new TextDecoder().decode(value).replace(/\0.*$/s, '');
}
