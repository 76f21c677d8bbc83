/** Numbers of charts as text and as a table. */

export interface TableRow {
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  /** The average of each line; null if nothing was measured. */
  readonly values: readonly (number | null)[];
}

interface Columns {
  readonly from: number;
  readonly to: number;
  /** How much of each part was measured. */
  readonly seconds: readonly number[];
  readonly lines: readonly (readonly (number | null)[])[];
}

/** Returns a course in at most `rowsMax` rows, each the average of some parts. */
export function tableRows(
  { from, to, seconds, lines }: Columns,
  rowsMax = 24,
): readonly TableRow[] {
  const parts = seconds.length;
  const size = Math.ceil(parts / rowsMax);
  const length = (to - from) / parts;
  return Array.from({ length: Math.ceil(parts / size) }, (_, row) => {
    const [first, end] = [row * size, Math.min(parts, (row + 1) * size)];
    return {
      from: from + first * length,
      to: from + end * length,
      values: lines.map((line) => average(line.slice(first, end), seconds.slice(first, end))),
    };
  });
}

function average(values: readonly (number | null)[], seconds: readonly number[]): number | null {
  let [sum, measured] = [0, 0];
  for (const [at, value] of values.entries()) {
    if (value === null) continue;
    const weight = seconds[at] ?? 0;
    sum += value * weight;
    measured += weight;
  }
  return measured === 0 ? null : sum / measured;
}
