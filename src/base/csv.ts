/**
 * Comma-separated values. Source: RFC 4180.
 *
 * A text that a spreadsheet would take for a formula gets an apostrophe in front, and control characters are
 * written as `\u{1b}`: both come from names and files that somebody else made. No line break is left in a field,
 * which RFC 4180 would allow and many readers break at.
 */
import { printable } from './printable.ts';

export type CsvField = string | number | undefined;

/** Rows with CRLF after each. */
export const csvText = (rows: readonly (readonly CsvField[])[]): string =>
  rows.map((row) => `${csvRow(row)}\r\n`).join('');

/** One row, without the end of its line. */
export const csvRow = (fields: readonly CsvField[]): string => fields.map(csvField).join(',');

function csvField(field: CsvField): string {
  if (field === undefined) return '';
  if (typeof field === 'number') return numberText(field);
  const shown = printable(field);
  // A dash alone means that there is no value.
  const text = /^[=+@]|^-./.test(shown) ? `'${shown}` : shown;
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Six digits are more than is measured; a double's noise is not written. */
const numberText = (value: number) =>
  Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
