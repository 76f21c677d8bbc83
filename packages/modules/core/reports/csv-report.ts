/** Comma-separated values: one module a row, under a row of names. Lists are joined by `; `. */
import type { ModuleReport, ScanReport } from './report.ts';
import { csvText, type CsvField } from '../../../base/csv.ts';

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
  ['accepted', ({ accepted }) => accepted],
  ['deniedReason', ({ deniedReason }) => deniedReason],
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
  ['undecidedReason', ({ undecidedReason }) => undecidedReason],
];

export function* csvReport({ modules }: ScanReport): Generator<string> {
  yield csvText([columns.map(([name]) => name)]);
  for (const module of modules) yield csvText([columns.map(([, of]) => fieldOf(of(module)))]);
}

function fieldOf(cell: Cell): CsvField {
  if (cell === null) return undefined;
  if (typeof cell === 'boolean') return String(cell);
  return typeof cell === 'object' ? cell.join('; ') : cell;
}
