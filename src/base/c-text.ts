/** The text in an array of characters of C: up to its NUL, or all of it. It is as somebody wrote it: see printable.ts. */
const decoder = new TextDecoder();

export function cText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
