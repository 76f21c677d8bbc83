/**
 * Comma-separated values: one module a row, under a row of names. Source: RFC 4180.
 *
 * Lists are joined by `; `. A text that a spreadsheet would take for a formula gets an apostrophe in front,
 * and control characters are written as `\x1b` or `\u202e`: both come from files that somebody else made.
 */
import type { ModuleReport, ScanReport } from './report.ts';

type Cell = string | number | boolean | null | readonly string[];

const columns: readonly (readonly [name: string, of: (module: ModuleReport) => Cell])[] = [
  ['file', ({ file }) => file],
  ['name', ({ name }) => name],
  ['licence', ({ licence }) => licence],
  ['version', ({ version }) => version],
  ['srcversion', ({ srcversion }) => srcversion],
  ['buildId', ({ buildId }) => buildId],
  ['sha256', ({ sha256 }) => sha256],
  ['machine', ({ machine }) => machine],
  ['signature', ({ signature }) => signature],
  ['signer', ({ signer }) => signer],
  ['package', ({ package: name }) => name],
  ['standing', ({ standing }) => standing],
  ['evidence', ({ evidence }) => evidence.map(({ sign }) => sign)],
  ['meets', ({ meets }) => meets],
  ['denied', ({ denied }) => denied],
  ['result', ({ loader }) => loader.result],
  ['errno', ({ loader }) => loader.errno],
  ['errnoName', ({ loader }) => loader.errnoName],
  ['taints', ({ loader }) => loader.taints],
  ['kernelTaint', ({ loader }) => loader.kernelTaint],
  ['messages', ({ loader }) => loader.messages],
  ['reasons', ({ loader }) => loader.reasons],
  ['unknown', ({ loader }) => loader.unknown],
  ['gplOnly', ({ gplOnly }) => gplOnly],
];

export function* csvReport({ modules }: ScanReport): Generator<string> {
  yield line(columns.map(([name]) => name));
  for (const module of modules) yield line(columns.map(([, of]) => textOf(of(module))));
}

const line = (fields: readonly string[]) => `${fields.join(',')}\r\n`;

function textOf(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell === 'number' || typeof cell === 'boolean') return String(cell);
  return field(typeof cell === 'string' ? cell : cell.join('; '));
}

function field(raw: string): string {
  const text = harmless(raw);
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** No line break is left in it, which RFC 4180 would allow and many readers break at. */
function harmless(text: string): string {
  const visible = text.replace(
    // oxlint-disable-next-line no-control-regex -- these are what must not get through
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (char) => {
      const code = char.charCodeAt(0).toString(16);
      return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`;
    },
  );
  return /^[=+\-@]/.test(visible) ? `'${visible}` : visible;
}
