/** The tables of schemas in docs/json.md and docs/api.md, between two comments that stay as they are. */
import { readFileSync } from 'node:fs';
import { root } from '../steps.ts';
import type { JsonSchemaFile } from './json-schemas.ts';

const [begin, end] = ['<!-- The table is generated. -->', '<!-- End of the table. -->'] as const;

/** Returns the page with its table of schemas. */
export function withSchemaTable(
  page: string,
  title: string,
  schemas: readonly JsonSchemaFile[],
): string {
  const text = readFileSync(`${root}${page}`, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no place for its table of schemas`);
  return `${text.slice(0, from + begin.length)}\n\n${tableOf(title, schemas)}\n\n${text.slice(to)}`;
}

/** Returns the table as the formatter would write it. */
function tableOf(title: string, schemas: readonly JsonSchemaFile[]): string {
  const rows = [
    [title, 'schema'],
    ...schemas.map(({ of, path }) => [`\`${of}\``, `[${nameOf(path)}](../${path})`]),
  ];
  const widths = [0, 1].map((at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [head, widths.map((width) => '-'.repeat(width)), ...body].map(line).join('\n');
}

const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);
