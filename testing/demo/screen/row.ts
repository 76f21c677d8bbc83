/**
 * The live view, a row a limit:
 *
 *     UID    LIMIT       USE                        OF       THE KERNEL
 *     61001  cpu         ██████████  20.1%      20%      slowed it 83 times
 */
import type { DemoScreen } from './screen.ts';

export interface Row {
  readonly uid: number;
  readonly title: string;
  readonly does: string;
  readonly use: string;
  readonly limit: string;
  /** Use as a part of the limit; none for rows without a bar. */
  readonly filled: number | undefined;
  readonly hits: string;
  readonly state: RowState;
}

/** Whether the limit has been hit, use is above it, or nothing has happened yet. */
type RowState = 'quiet' | 'hit' | 'over' | 'off';

const barCells = 10;
const columns = { uid: 5, title: 10, does: 19, bar: barCells, use: 10, limit: 8 } as const;
const gap = '  ';
/** The width from which the description of each load fits. */
const wide = 100;
const withoutBar = 66;

type Cell = keyof typeof columns;

const header: Readonly<Record<Cell | 'hits', string>> = {
  uid: 'UID',
  title: 'LIMIT',
  does: 'WHAT IT DOES',
  bar: 'USE',
  use: '',
  limit: 'OF',
  hits: 'THE KERNEL',
};

export function demoHeaderLine(screen: DemoScreen): string {
  const cells = cellsFor(screen.columns()).map((cell) => header[cell].padEnd(columns[cell]));
  return screen.colors.dim(clip([...cells, header.hits].join(gap), screen.columns()));
}

export function demoRowLine(row: Row, screen: DemoScreen): string {
  const width = screen.columns();
  const shown = cellsFor(width);
  const cells = shown.map((cell) => cellText(row, cell));
  const plain = [...cells, row.hits].join(gap);
  if (plain.length > width) return clip(plain, width);
  const painted = cells.map((text, index) => paint(row, shown[index] ?? 'uid', text, screen));
  return [...painted, paint(row, 'hits', row.hits, screen)].join(gap);
}

function cellsFor(width: number): readonly Cell[] {
  if (width >= wide) return ['uid', 'title', 'does', 'bar', 'use', 'limit'];
  if (width >= withoutBar) return ['uid', 'title', 'bar', 'use', 'limit'];
  return ['uid', 'title', 'use', 'limit'];
}

function cellText(row: Row, cell: Cell): string {
  if (cell === 'bar') return bar(row.filled);
  if (cell === 'use') return row.use.padStart(columns.use);
  return String(row[cell]).padEnd(columns[cell]);
}

function bar(filled: number | undefined): string {
  if (filled === undefined) return ' '.repeat(barCells);
  const cells = Math.min(barCells, Math.round(filled * barCells));
  return '█'.repeat(cells) + '░'.repeat(barCells - cells);
}

const clip = (text: string, width: number) =>
  text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text.trimEnd();

function paint(row: Row, cell: Cell | 'hits', text: string, { colors }: DemoScreen): string {
  if (row.state === 'off') return colors.dim(text);
  if (cell === 'bar' || cell === 'use') {
    if (row.state === 'over') return colors.red(text);
    return row.state === 'hit' ? colors.green(text) : text;
  }
  if (cell === 'hits') return row.state === 'hit' ? colors.green(text) : colors.dim(text);
  return cell === 'does' ? colors.dim(text) : text;
}
