/**
 * How many columns of a terminal a text takes, and how to cut it to fit.
 *
 * `printable` escapes first what terminals disagree on, so that widths are right: format characters, joiners, and
 * stacked combining marks.
 *
 *     displayWidth('日本')  → 4
 */
const plainAscii = /^[\u0020-\u007e]*$/;

/** Marks that do not advance, and the vowels and finals of Korean syllables. */
const zeroWide = /[\p{Mn}\p{Me}\u1160-\u11ff\ud7b0-\ud7ff]/u;
/** East Asian Width W and F of Unicode Standard Annex 11; emoji with emoji presentation are W. */
const doubleWide =
  /[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u3247\u3250-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{1d300}-\u{1d376}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]/u;

function charWidth(char: string): 0 | 1 | 2 {
  if (char < '\u0300') return 1;
  if (zeroWide.test(char)) return 0;
  return doubleWide.test(char) ? 2 : 1;
}

/** Returns the width of a text without control characters. */
export function displayWidth(text: string): number {
  if (plainAscii.test(text)) return text.length;
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

// oxlint-disable-next-line no-control-regex -- colour codes have no width
const colourCodes = /\u001b\[[0-9;]*m/g;
// oxlint-disable-next-line no-control-regex -- the same, as the odd parts of the split text
const colourSplit = /(\u001b\[[0-9;]*m)/;

/** Returns the width without colour codes, which have none. */
export const visibleWidth = (text: string) => displayWidth(text.replace(colourCodes, ''));

/** Cuts a text to at most `columns`; a text that was cut ends in `…`. */
export function cutTo(text: string, columns: number): string {
  if (columns <= 0) return '';
  if (displayWidth(text) <= columns) return text;
  let width = 0;
  let kept = '';
  for (const char of text) {
    width += charWidth(char);
    if (width > columns - 1) break;
    kept += char;
  }
  return `${kept}…`;
}

/** Cuts or pads a text to exactly `columns`. */
export function fitLeft(text: string, columns: number): string {
  const cut = cutTo(text, columns);
  return cut + ' '.repeat(columns - displayWidth(cut));
}

export function fitRight(text: string, columns: number): string {
  const cut = cutTo(text, columns);
  return ' '.repeat(columns - displayWidth(cut)) + cut;
}

/** Cuts a text with colour codes and keeps all of them. */
export function clip(text: string, columns: number): string {
  if (visibleWidth(text) <= columns) return text;
  let room = columns;
  return text
    .split(colourSplit)
    .map((part, index) => {
      if (index % 2 === 1) return part;
      const cut = displayWidth(part) <= room ? part : cutTo(part, room);
      room -= displayWidth(cut);
      return cut;
    })
    .join('');
}
