/** The bytes that turn one frame into another on a terminal. Pure. */
import type { Size } from './frame.ts';
import { visibleWidth } from '../shared/width.ts';

/** Synchronized output: terminals that know it show what is between at once; others ignore it. */
const beginTogether = '\u001b[?2026h';
const endTogether = '\u001b[?2026l';

/** Every line if it is unknown what is shown, otherwise those that differ. Empty if none does. */
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
 * The rest of the line is erased after the text; after a full line the cursor is on its last
 * character, which must stay.
 */
function lineCodes(line: string, index: number, columns: number): string {
  const erase = visibleWidth(line) < columns ? '\u001b[K' : '';
  return `\u001b[${index + 1};1H${line}\u001b[0m${erase}`;
}
