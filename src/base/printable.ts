/**
 * Texts of others (names, files, programs, command lines) on their way to a terminal, a table or a log. They come
 * from people who would like to move the cursor, to hide what they run, or to make a line wider than it counts.
 *
 *     printable('a\u001b[2Jb')  → a\u{1b}[2Jb
 */

const plainAscii = /^[\u0020-\u007e]*$/;
/** Controls, formats (those that turn the direction of text too), line ends, halves of pairs, what is not assigned. */
const acting = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/gu;
/** A variation selector changes the width of what stands before it on some terminals only. */
const selectors = /[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;
const manyMarks = /(\p{M}{2})\p{M}+/gu;

/** Safe to write to a terminal, on one line, and of a known width. */
export function printable(text: string): string {
  if (plainAscii.test(text)) return text;
  return text
    .replace(acting, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)
    .replace(selectors, '')
    .replace(manyMarks, '$1');
}
