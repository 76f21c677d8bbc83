/** Comma-separated values as RFC 4180 has them: CRLF, and quotes where a field needs them. */
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

/** Six digits are more than is measured; a double's noise is not written. */
const numberText = (value: number) =>
  Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
