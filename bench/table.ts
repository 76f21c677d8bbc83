/** Sections as text: a line a row, columns aligned. */
import type { Row, Section, Spread } from './samples.ts';

export function formatSection(section: Section): string {
  const { title, beside, rows, notes, unit = 'ms' } = section;
  const head = ['', 'Bulkhead', beside, 'ratio', 'goal', ''];
  const table = rows.map((row) => cells(row, unit));
  const columns = [...head.keys()].filter((column) => table.some((line) => line[column] !== ''));
  const lines = [head, ...table].map((line) => columns.map((column) => line[column] ?? ''));
  const widths = columns.map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  const body = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [title, ...body.map((line) => `  ${line}`), ...notes.map((note) => `  (${note})`)].join(
    '\n',
  );
}

function cells({ label, ours, floor, ratio, goal, peakMiB, note }: Row, unit: string): string[] {
  const value = (each: Spread) => `${spread(each, each.p50 < 10 ? 2 : 1)} ${unit}`;
  return [
    label,
    value(ours),
    floor === undefined ? '' : value(floor),
    ratio === undefined ? '' : spread(ratio, 2),
    goal === undefined
      ? ''
      : `≤ ${goal} ${ratio !== undefined && ratio.p50 <= goal ? 'met' : 'MISSED'}`,
    [peakMiB === undefined ? '' : `peak ${peakMiB.toFixed(0)} MiB`, note ?? '']
      .filter((each) => each !== '')
      .join(', '),
  ];
}

/** Formats the median and the range of eight of ten samples; one sample has no range. */
function spread({ p10, p50, p90 }: Spread, digits: number): string {
  if (p10 === p90) return p50.toFixed(digits);
  const range =
    p10 === undefined
      ? `p90 ${p90.toFixed(digits)}`
      : `${p10.toFixed(digits)}–${p90.toFixed(digits)}`;
  return `${p50.toFixed(digits)} (${range})`;
}
