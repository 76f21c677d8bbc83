/**
 * Comma-separated values: one module a row, under a row of names. Source: RFC 4180.
 *
 * Lists are joined by `; `. A text that a spreadsheet would take for a formula gets an apostrophe in front,
 * and control characters are written as `\u{1b}`: both come from files that somebody else made.
 */
import type { ModuleReport, ScanReport } from './report.ts';
import { printable } from '../../../base/printable.ts';

type Cell = string | number | boolean | null | readonly string[];

const columns: readonly (readonly [name: string, of: (module: ModuleReport) => Cell])[] = [
  ['file', ({ file }) => file],
  ['name', ({ name }) => name],
  ['license', ({ license }) => license],
  ['version', ({ version }) => version],
  ['srcversion', ({ srcversion }) => srcversion],
  ['buildId', ({ buildId }) => buildId],
  ['sha256', ({ sha256 }) => sha256],
  ['machine', ({ machine }) => machine],
  ['signature', ({ signature }) => signature],
  ['signer', ({ signer }) => signer],
  ['package', ({ package: name }) => name],
  ['trustLevel', ({ trustLevel }) => trustLevel],
  ['evidence', ({ evidence }) => evidence.map(({ check }) => check)],
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
  ['taintsUnlessTrusted', ({ loader }) => loader.taintsUnlessTrusted],
  ['kernelTaintUnlessTrusted', ({ loader }) => loader.kernelTaintUnlessTrusted],
  ['undecided', ({ undecided }) => undecided],
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
  const visible = printable(text);
  return /^[=+\-@]/.test(visible) ? `'${visible}` : visible;
}
