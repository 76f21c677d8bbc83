/**
 * Comma-separated values. Source: RFC 4180.
 *
 * A text that a spreadsheet would take for a formula gets an apostrophe in front. Control characters are written as
 * `\u{1b}`. Both come from names and files that somebody else made. Fields contain no line breaks: RFC 4180 allows
 * them, but many readers fail at them.
 */
import { printable } from './printable.ts';

export type CsvField = string | number | undefined;

/** Returns rows, each followed by CRLF. */
export const csvText = (rows: readonly (readonly CsvField[])[]): string =>
  rows.map((row) => `${csvRow(row)}\r\n`).join('');

/** Returns one row, without the line end. */
export const csvRow = (fields: readonly CsvField[]): string => fields.map(csvField).join(',');

function csvField(field: CsvField): string {
  if (field === undefined) return '';
  if (typeof field === 'number') return numberText(field);
  const shown = printable(field);
  // A lone dash means that there is no value.
  const text = /^[=+@]|^-./.test(shown) ? `'${shown}` : shown;
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Formats a number with six digits, more than is measured; this hides a double's noise. */
const numberText = (value: number) =>
  Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
