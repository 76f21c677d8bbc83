/** Comma-separated values as in RFC 4180: CRLF, and quotes if a field needs them. */
import { harmless } from './width.ts';

export type CsvField = string | number | undefined;

export function csvText(rows: readonly (readonly CsvField[])[]): string {
  return rows.map((row) => `${row.map(csvField).join(',')}\r\n`).join('');
}

function csvField(field: CsvField): string {
  if (field === undefined) return '';
  const text = typeof field === 'number' ? numberText(field) : harmless(field);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Six digits are more than is measured; rounding noise of doubles is not written. */
const numberText = (value: number) =>
  Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
