/**
 * Byte strings as text: UTF-8 is decoded, and every other byte is shown as a number.
 *
 *     "caf\xc3\xa9\xff"  →  caf\u00e9\xff  →  café\xff
 */
import { printable } from '../../../../packages/base/printable.ts';

const strict = new TextDecoder('utf-8', { fatal: true });
/** Well-formed UTF-8, longest first. Source: Unicode, table 3-7. */
const character =
  /[^\x80-\xff]+|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;

const bytesOf = (path: string) => Uint8Array.from(path, (char) => char.charCodeAt(0));

/** Returns the text, if the bytes are UTF-8. */
export function textOfBytes(path: string): string | undefined {
  try {
    return strict.decode(bytesOf(path));
  } catch {
    return undefined;
  }
}

/** Returns text that is safe for a terminal; not reversible. */
export function formatPath(path: string): string {
  const text = textOfBytes(path);
  if (text !== undefined) return printable(text);
  return path.replace(character, (match) => {
    const code = match.charCodeAt(0);
    if (match.length === 1 && code >= 0x80) return `\\x${code.toString(16)}`;
    return printable(strict.decode(bytesOf(match)));
  });
}
