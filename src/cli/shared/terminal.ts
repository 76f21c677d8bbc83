/** Colour and live lines, on a terminal only. `NO_COLOR` is obeyed. */
import { styleText } from 'node:util';
import { visibleWidth } from './width.ts';

const styles = ['bold', 'dim', 'underline', 'red', 'green', 'yellow'] as const;

export type Colors = Readonly<Record<(typeof styles)[number], (text: string) => string>>;

/** Returns functions that style text, or leave it as it is. */
export function colorsIf(isEnabled: boolean): Colors {
  const entries = styles.map((style) => [
    style,
    (text: string) => (isEnabled ? styleText(style, text, { validateStream: false }) : text),
  ]);
  return Object.fromEntries(entries) as Colors;
}

export interface Terminal {
  readonly columns: number;
  readonly isTerminal: boolean;
  readonly colors: Colors;
}

export function terminalOf(stream: NodeJS.WriteStream): Terminal {
  const isTerminal = stream.isTTY === true;
  const plain = process.env['NO_COLOR'] !== undefined && process.env['NO_COLOR'] !== '';
  return {
    // A serial line has no size and reports 0.
    columns: stream.columns || (isTerminal ? 80 : 100),
    isTerminal,
    colors: colorsIf(isTerminal && !plain && process.env['TERM'] !== 'dumb'),
  };
}

/** Columns of text, each as wide as its widest cell; numbers right-aligned. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => visibleWidth(row[column] ?? ''))),
  );
  return rows.map((row) => tableLine(row, widths, right)).join('\n');
}

function tableLine(
  row: readonly string[],
  widths: readonly number[],
  right: readonly number[],
): string {
  const cells = row.map((cell, column) => {
    const space = ' '.repeat((widths[column] ?? 0) - visibleWidth(cell));
    return right.includes(column) ? space + cell : cell + space;
  });
  return cells.join('  ').trimEnd();
}

/** Wraps text at spaces and keeps leading ones; all further lines are indented. */
export function wrap(text: string, columns: number, indent = ''): string {
  const [begin = '', ...words] = text.split(/(?<=\S) (?=\S)/);
  const lines = [begin];
  for (const word of words) {
    const line = `${lines.at(-1)} ${word}`;
    if (line.length <= columns) lines[lines.length - 1] = line;
    else lines.push(indent + word);
  }
  return lines.join('\n');
}
