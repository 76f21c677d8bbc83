/**
 * Rows of lveinfo as a table, as CSV and as JSON. A value that is not measured is blank, in JSON
 * null.
 */
import { table } from '../../cli/shared/terminal.ts';
import type { Column, InfoRow } from './info-columns.ts';
import { shortMoment } from './lve-period.ts';
import { csvRow } from '../../../packages/base/csv.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { LveinfoJson } from './json.ts';

type Cell = string | number | undefined;

/** Returns the cell's value with two decimals at most; bytes are whole. */
function valueOf(column: Column, row: InfoRow): Cell {
  const value = column.value(row);
  if (typeof value !== 'number') return value;
  if (column.unit === 'text') return shortMoment(value);
  const whole = column.unit === 'bytes' || column.unit === 'bytesPerSecond';
  return whole ? Math.round(value) : Math.round(value * 100) / 100;
}

export function infoTable(
  columns: readonly Column[],
  rows: readonly InfoRow[],
  blank: string,
): string {
  const header = columns.map((column) => column.name);
  const cells = rows.map((row) => columns.map((column) => tableCell(column, row, blank)));
  const right = columns.flatMap((column, index) => (column.unit === 'text' ? [] : [index]));
  return table([header, ...cells], right);
}

function tableCell(column: Column, row: InfoRow, blank: string): string {
  const value = valueOf(column, row);
  if (value === undefined) return blank;
  if (typeof value === 'string') return printable(value);
  if (column.unit !== 'bytes' && column.unit !== 'bytesPerSecond') return String(value);
  return shortSize(value);
}

const sizes = ['B', 'K', 'M', 'G', 'T'];

/** Formats a size as lveinfo prints memory: `512.0M`. */
function shortSize(bytes: number): string {
  let value = bytes;
  let size = 0;
  while (value >= 1024 && size < sizes.length - 1) {
    value /= 1024;
    size++;
  }
  return `${size === 0 ? value : value.toFixed(1)}${sizes[size]}`;
}

export function infoCsv(
  columns: readonly Column[],
  rows: readonly InfoRow[],
  blank: string,
): string {
  const lines = rows.map((row) =>
    csvRow(columns.map((column) => String(valueOf(column, row) ?? blank))),
  );
  return [csvRow(columns.map((column) => column.name)), ...lines].join('\n');
}

export function infoJson(columns: readonly Column[], rows: readonly InfoRow[]): LveinfoJson {
  return {
    success: 1,
    data: rows.map((row) =>
      Object.fromEntries(columns.map((column) => [column.name, jsonValue(valueOf(column, row))])),
    ),
  };
}

const jsonValue = (value: Cell): string | number | null =>
  typeof value === 'string' ? printable(value) : (value ?? null);
