/** The difference of two texts by lines, like `diff -u`. */

export interface DiffLine {
  /** `-`: only in the old text. `+`: only in the new text. */
  readonly sign: ' ' | '-' | '+';
  /** The line. */
  readonly text: string;
}

/** Lines that differ, with lines around them. */
export interface DiffHunk {
  /** The number of its first line in the old text, from 1. */
  readonly line: number;
  /** The lines. */
  readonly lines: readonly DiffLine[];
}

const contextLines = 2;
/**
 * The size above which everything between the first and the last difference is shown as replaced.
 */
const cellsMax = 4_000_000;

export function lineDiff(before: string, after: string): readonly DiffHunk[] {
  const [old, now] = [before, after].map((text) => text.split(/\r?\n/)) as [string[], string[]];
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start++;
  let end = 0;
  const max = Math.min(old.length, now.length) - start;
  while (end < max && old.at(-1 - end) === now.at(-1 - end)) end++;
  const middle = compare(old.slice(start, old.length - end), now.slice(start, now.length - end));
  const same = (text: string): DiffLine => ({ sign: ' ', text });
  return hunks([
    ...old.slice(0, start).map(same),
    ...middle,
    ...old.slice(old.length - end).map(same),
  ]);
}

/** Compares lines: the longest common subsequence stays; the rest is removed or added. */
function compare(old: readonly string[], now: readonly string[]): readonly DiffLine[] {
  if (old.length * now.length > cellsMax) return [...marked('-', old), ...marked('+', now)];
  const lengths = commonLengths(old, now);
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < old.length && j < now.length) {
    if (old[i] === now[j]) {
      lines.push({ sign: ' ', text: old[i] ?? '' });
      i++;
      j++;
    } else if ((lengths[i + 1]?.[j] ?? 0) >= (lengths[i]?.[j + 1] ?? 0)) {
      lines.push({ sign: '-', text: old[i++] ?? '' });
    } else {
      lines.push({ sign: '+', text: now[j++] ?? '' });
    }
  }
  return [...lines, ...marked('-', old.slice(i)), ...marked('+', now.slice(j))];
}

const marked = (sign: '-' | '+', lines: readonly string[]): readonly DiffLine[] =>
  lines.map((text) => ({ sign, text }));

/** `[i][j]`: how many lines the tails from `i` and from `j` have in common. */
function commonLengths(old: readonly string[], now: readonly string[]): readonly Uint32Array[] {
  const rows = Array.from({ length: old.length + 1 }, () => new Uint32Array(now.length + 1));
  for (let i = old.length - 1; i >= 0; i--) {
    const [row, below] = [rows[i], rows[i + 1]];
    if (row === undefined || below === undefined) continue;
    for (let j = now.length - 1; j >= 0; j--) {
      row[j] =
        old[i] === now[j] ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return rows;
}

function hunks(lines: readonly DiffLine[]): readonly DiffHunk[] {
  const found: DiffHunk[] = [];
  let [line, counted] = [1, 0];
  for (let first = 0; first < lines.length; first++) {
    if (lines[first]?.sign === ' ') continue;
    const last = lastOfHunk(lines, first);
    const start = Math.max(0, first - contextLines);
    for (; counted < start; counted++) if (lines[counted]?.sign !== '+') line++;
    found.push({ line, lines: lines.slice(start, last + 1 + contextLines) });
    first = last;
  }
  return found;
}

/** Returns the last line of a hunk: differences whose contexts touch are one hunk. */
function lastOfHunk(lines: readonly DiffLine[], first: number): number {
  let last = first;
  for (let at = first; at < lines.length && at <= last + 2 * contextLines; at++) {
    if (lines[at]?.sign !== ' ') last = at;
  }
  return last;
}
