/**
 * IP addresses as bytes, 4 or 16 in network order. Texts are as strict as the C library's inet_pton(3): four decimal numbers
 * without leading zeros, or RFC 4291 without a zone. Printed as RFC 5952 says.
 */

/** Parses an address; undefined if the text is none. */
export const parseAddress = (text: string): Uint8Array | undefined =>
  text.includes(':') ? parseSix(text) : parseFour(text);

function parseFour(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  const isAddress =
    parts.length === 4 && parts.every((each) => /^(?:0|[1-9]\d{0,2})$/.test(each) && +each < 256);
  return isAddress ? Uint8Array.from(parts, Number) : undefined;
}

/** Groups of 16 bits in an IPv6 address. */
const groups = 8;
/** The longest text of an address: six groups, and an IPv4 address. */
const lengthMax = 45;

function parseSix(text: string): Uint8Array | undefined {
  const plain = text.length > lengthMax ? undefined : withoutDots(text);
  const halves = plain?.split('::') ?? [];
  if (halves.length < 1 || halves.length > 2) return undefined;
  const [before = [], after = []] = halves.map((half) =>
    half === '' ? [] : half.split(':').map(parseGroup),
  );
  const missing = groups - before.length - after.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...before, ...Array.from({ length: missing }, () => 0), ...after];
  if (all.some(Number.isNaN)) return undefined;
  return Uint8Array.from(all.flatMap((each) => [each >> 8, each & 0xff]));
}

/** Returns the text with an IPv4 address at its end as two groups; undefined if it is not one. */
function withoutDots(text: string): string | undefined {
  const start = text.lastIndexOf(':') + 1;
  const end = text.slice(start);
  if (!end.includes('.')) return text;
  const four = parseFour(end);
  if (four === undefined) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = four;
  return `${text.slice(0, start)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

const parseGroup = (text: string) => (/^[0-9A-Fa-f]{1,4}$/.test(text) ? parseInt(text, 16) : NaN);

/** Prints an address of 4 or 16 bytes. */
export function formatAddress(address: Uint8Array): string {
  if (address.length === 4) return address.join('.');
  if (isMapped(address)) return `::ffff:${address.slice(12).join('.')}`;
  const words = Array.from(
    { length: groups },
    (_, index) => ((address[2 * index] ?? 0) << 8) | (address[2 * index + 1] ?? 0),
  );
  const text = (part: readonly number[]) => part.map((each) => each.toString(16)).join(':');
  const { start, length } = longestZeros(words);
  return length < 2
    ? text(words)
    : `${text(words.slice(0, start))}::${text(words.slice(start + length))}`;
}

/** Returns the first of the longest runs of zeros. */
function longestZeros(words: readonly number[]) {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < words.length; start++) {
    const end = words.findIndex((each, index) => index >= start && each !== 0);
    const length = (end < 0 ? words.length : end) - start;
    if (length > best.length) best = { start, length };
  }
  return best;
}

/** Whether it is an IPv4 address as an IPv6 socket has it: `::ffff:192.0.2.1`. */
export const isMapped = (address: Uint8Array): boolean =>
  address.length === 16 &&
  address[10] === 0xff &&
  address[11] === 0xff &&
  address.subarray(0, 10).every((byte) => byte === 0);

/** Returns the IPv4 address of a mapped one; every other address is returned as it is. */
export const unmapped = (address: Uint8Array): Uint8Array =>
  isMapped(address) ? address.slice(12) : address;

/** Whether the first bits of both are the same, and both are of one family. */
export function samePrefix(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < bits; at += 8) {
    const mask = 0xff << Math.max(0, 8 - (bits - at));
    if ((((a[at >> 3] ?? 0) ^ (b[at >> 3] ?? 0)) & mask & 0xff) !== 0) return false;
  }
  return true;
}

/** Returns the address without what is beyond the prefix. */
export const withoutHostBits = (address: Uint8Array, prefix: number): Uint8Array =>
  address.map((byte, index) => byte & (0xff << Math.min(8, Math.max(0, 8 - (prefix - 8 * index)))));
