/** Bars and sparklines of one line, in block characters or, if the locale lacks them, in ASCII. */

/** Levels from nothing to full. */
const blocks = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ascii = ['_', '.', ':', '-', '=', '+', '*', '#'];
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** Whether the terminal can be expected to show more than ASCII, by the standard order of variables. */
export function showsUnicode(environment: NodeJS.ProcessEnv = process.env): boolean {
  const locale = [environment['LC_ALL'], environment['LC_CTYPE'], environment['LANG']].find(
    (each) => each !== undefined && each !== '',
  );
  return /utf-?8/i.test(locale ?? '');
}

/**
 * Draws one character per point, scaled to `limit`, or to the largest point if all are below a quarter of the limit.
 * Blank if nothing was measured.
 */
export function sparkline(
  points: readonly (number | null)[],
  limit?: number,
  unicode = true,
): string {
  const max = Math.max(0, ...points.map((each) => each ?? 0));
  const scale = limit !== undefined && limit > 0 && max > limit / 4 ? Math.max(limit, max) : max;
  const levels = unicode ? blocks : ascii;
  return points
    .map((each) => {
      if (each === null || !Number.isFinite(each)) return ' ';
      const level = scale === 0 ? 0 : Math.round((each / scale) * (levels.length - 1));
      return levels[Math.max(0, Math.min(levels.length - 1, level))] ?? ' ';
    })
    .join('');
}

/** Draws `share` of `width` columns, filled from the left; always exactly `width` wide. */
export function bar(share: number, width: number, unicode = true): string {
  const full = Math.max(0, Math.min(1, Number.isFinite(share) ? share : 0)) * width;
  if (!unicode) return '#'.repeat(Math.round(full)).padEnd(width, '.');
  const whole = Math.floor(full);
  const rest = eighths[Math.floor((full - whole) * 8)] ?? '';
  return `${'█'.repeat(whole)}${rest}`.padEnd(width, ' ');
}
