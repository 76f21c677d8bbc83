/**
 * Makes other people's text (names, files, programs, command lines) safe for a terminal, a table or a log. Its authors
 * may want to move the cursor, hide what they run, or make a line wider than it counts.
 *
 *     printable('a\u001b[2Jb')  → a\u{1b}[2Jb
 */

const plainAscii = /^[\u0020-\u007e]*$/;
/**
 * Control characters, format characters (also those that reverse text direction), line ends, lone surrogates,
 * unassigned code points.
 */
const acting = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/gu;
/** A variation selector changes the width of the character before it, but only on some terminals. */
const selectors = /[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;
const manyMarks = /(\p{M}{2})\p{M}+/gu;

/** Returns text that is safe to write to a terminal, on one line, and of a known width. */
export function printable(text: string): string {
  if (plainAscii.test(text)) return text;
  return text
    .replace(acting, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)
    .replace(selectors, '')
    .replace(manyMarks, '$1');
}
