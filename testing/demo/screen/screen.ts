/** The output of the demo: a terminal on which lines are redrawn in place, or anything else. */
import { colorsIf, terminalOf, type Colors } from '../../../src/cli/shared/terminal.ts';

export interface DemoScreen {
  readonly isLive: boolean;
  readonly columns: () => number;
  readonly colors: Colors;
  readonly print: (text: string) => void;
}

const fewestRows = 16;

/**
 * Returns the screen; `asked` is a size such as `80x24`, for a terminal at the other end of a
 * connection.
 */
export function screenOf(stream: NodeJS.WriteStream, asked?: string): DemoScreen {
  const print = (text: string) => void stream.write(`${text}\n`);
  if (asked !== undefined) {
    const [columns = 80, rows = 24] = asked.split('x').map(Number);
    const isPlain = (process.env['NO_COLOR'] ?? '') !== '';
    return {
      isLive: rows >= fewestRows,
      columns: () => columns,
      colors: colorsIf(!isPlain),
      print,
    };
  }
  const { isTerminal, colors } = terminalOf(stream);
  const isSmart = isTerminal && process.env['TERM'] !== 'dumb';
  return {
    isLive: isSmart && (stream.rows ?? 24) >= fewestRows,
    columns: () => terminalOf(stream).columns,
    colors,
    print,
  };
}

/** The screen for `--json`: only the end result is printed. */
export const silentScreen: DemoScreen = {
  isLive: false,
  columns: () => 80,
  colors: colorsIf(false),
  print: () => {},
};
