/** The bytes that turn one frame into another on a terminal. Pure. */
import type { Size } from './frame.ts';
import { visibleWidth } from '../shared/width.ts';

/**
 * Synchronized output: terminals that support it show everything between these two codes at once;
 * others ignore them.
 */
const beginTogether = '\u001b[?2026h';
const endTogether = '\u001b[?2026l';

/**
 * Returns the codes for every line if the shown frame is unknown, otherwise for the lines that
 * differ. Empty if none does.
 */
export function composeWrite(
  shown: readonly string[] | undefined,
  lines: readonly string[],
  { columns, rows }: Size,
): string {
  const changed = lines
    .slice(0, rows)
    .flatMap((line, index) =>
      shown !== undefined && shown[index] === line ? [] : [lineCodes(line, index, columns)],
    );
  return changed.length === 0 ? '' : `${beginTogether}${changed.join('')}${endTogether}`;
}

/**
 * Returns the codes of a line. The rest of the line is erased after the text; after a full line the
 * cursor is on its last character, which must stay.
 */
function lineCodes(line: string, index: number, columns: number): string {
  const erase = visibleWidth(line) < columns ? '\u001b[K' : '';
  return `\u001b[${index + 1};1H${line}\u001b[0m${erase}`;
}
