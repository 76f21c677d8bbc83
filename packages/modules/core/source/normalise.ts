/**
 * The bytes of a file that `srcversion` hashes: its text without blanks and block comments, strings
 * kept whole.
 *
 * This is modpost's own idea of C and must be kept with its quirks. `//` comments are hashed,
 * `"\\"` and `'"'` confuse the strings, `/*` needs only one further byte to end, and nothing is
 * read behind a NUL. Source: parse_file() in scripts/mod/sumversion.c of the kernel.
 */
const [newline, quote, star, slash, backslash] = [0x0a, 0x22, 0x2a, 0x2f, 0x5c];

const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

export function normalise(file: Uint8Array): Uint8Array {
  const nul = file.indexOf(0);
  const text = nul < 0 ? file : file.subarray(0, nul);
  const kept = new Uint8Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]!;
    if (isBlank(byte)) continue;
    if (byte === backslash && text[at + 1] === newline) {
      at++;
    } else if (byte === quote) {
      const end = endOfString(text, at);
      kept.set(text.subarray(at, end), length);
      length += end - at;
      at = end - 1;
    } else if (byte === slash && text[at + 1] === star) {
      at = endOfComment(text, at) - 1;
    } else {
      kept[length++] = byte;
    }
  }
  return kept.subarray(0, length);
}

function endOfString(text: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < text.length && !(text[at] === quote && text[at - 1] !== backslash)) at++;
  return Math.min(at + 1, text.length);
}

function endOfComment(text: Uint8Array, start: number): number {
  let at = start + 2;
  while (at < text.length && !(text[at - 1] === star && text[at] === slash)) at++;
  return Math.min(at + 1, text.length);
}
