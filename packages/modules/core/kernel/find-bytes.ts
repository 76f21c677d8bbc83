/** Looking for a short run of bytes in an image of many megabytes, without a copy of it. */

/** Returns the bytes of an ASCII text. */
export const ascii = (text: string): Uint8Array =>
  Uint8Array.from(text, (character) => character.charCodeAt(0));

/**
 * Returns the offset of the first `needle` at or after `from`, or -1. Put the rarest byte of the
 * needle at `anchor`: only places that have it are compared.
 */
export function findBytes(bytes: Uint8Array, needle: Uint8Array, from = 0, anchor = 0): number {
  const rare = needle[anchor];
  if (rare === undefined) return -1;
  const last = bytes.length - needle.length;
  let at = bytes.indexOf(rare, from + anchor) - anchor;
  while (at >= from && at <= last) {
    if (startsWith(bytes, needle, at)) return at;
    at = bytes.indexOf(rare, at + anchor + 1) - anchor;
  }
  return -1;
}

export function startsWith(bytes: Uint8Array, needle: Uint8Array, at = 0): boolean {
  return needle.every((byte, index) => bytes[at + index] === byte);
}
