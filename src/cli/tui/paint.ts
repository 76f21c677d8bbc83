/** The bytes that make one picture of another on a terminal. Pure. */
import type { Size } from './frame.ts';
import { visibleWidth } from '../shared/width.ts';

/** Terminals that know it show what lies between at once; all others pass over it. */
const beginTogether = '\u001b[?2026h';
const endTogether = '\u001b[?2026l';

/** Every line where nothing is known of what is shown; else those that differ. Empty: none do. */
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
 * The rest of the line is erased behind the text; behind a full line the cursor stands on its last
 * character, which must stay.
 */
function lineCodes(line: string, index: number, columns: number): string {
  const erase = visibleWidth(line) < columns ? '\u001b[K' : '';
  return `\u001b[${index + 1};1H${line}\u001b[0m${erase}`;
}
