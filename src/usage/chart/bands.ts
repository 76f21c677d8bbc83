/** Incidents as bands behind a line, with a word above each; words that would overlap become one. */
import { severities } from '../../limits/limit.ts';
import type { Severity } from '../fault.ts';
import { element, escapeXml } from './markup.ts';
import { xOf, type Plot } from './plot.ts';
import { textAt, textWidth } from './text.ts';
import { severityWords, type Theme } from './theme.ts';
import { momentText } from './time-axis.ts';

export interface ChartIncident {
  /** The id, for `incident`. */
  readonly id: number;
  /** The worst effect of its faults. */
  readonly severity: Severity;
  /** The first fault, in milliseconds since 1970. */
  readonly begin: number;
  /** The last fault, in milliseconds since 1970. */
  readonly end: number;
  /** The number of faults. */
  readonly faults: number;
}

/** Incidents of one severity that touch each other on the chart. */
interface Band {
  readonly severity: Severity;
  readonly left: number;
  readonly right: number;
  readonly begin: number;
  readonly end: number;
  readonly count: number;
}

const widthMin = 3;
const wordSize = 11;
/** The height of the row of words above the plot. */
export const wordsHeight = 16;

export function drawBands(
  plot: Plot,
  incidents: readonly ChartIncident[],
  theme: Theme,
  timeZone: string,
): readonly string[] {
  const bands = severities.flatMap((severity) =>
    bandsOf(
      plot,
      incidents.filter((each) => each.severity === severity),
    ),
  );
  return [
    ...bands.map((each) => drawBand(plot, each, theme, timeZone)),
    ...wordsOf(plot, bands).map(({ middle, text }) =>
      textAt(middle, plot.top - 5, text, { size: wordSize, fill: theme.text, anchor: 'middle' }),
    ),
  ];
}

function bandsOf(plot: Plot, incidents: readonly ChartIncident[]): readonly Band[] {
  const bands: Band[] = [];
  for (const { severity, begin, end } of incidents.toSorted((a, b) => a.begin - b.begin)) {
    const left = Math.min(xOf(plot, begin), plot.left + plot.width - widthMin);
    const right = Math.max(xOf(plot, end), left + widthMin);
    const last = bands.at(-1);
    if (last === undefined || left > last.right) {
      bands.push({ severity, left, right, begin, end, count: 1 });
      continue;
    }
    bands[bands.length - 1] = {
      ...last,
      right: Math.max(last.right, right),
      end: Math.max(last.end, end),
      count: last.count + 1,
    };
  }
  return bands;
}

function drawBand(plot: Plot, band: Band, theme: Theme, timeZone: string): string {
  const fill = theme.severities[band.severity];
  const { left: x, count } = band;
  const width = Math.round((band.right - band.left) * 10) / 10;
  const often = count === 1 ? '' : `, ${count} incidents`;
  const [begin, end] = [band.begin, band.end].map((at) => momentText(at, timeZone));
  const words = `${severityWords[band.severity]}${often}, ${begin} to ${end}`;
  return element(
    'g',
    { fill },
    element('title', {}, escapeXml(words)),
    element('rect', { x, y: plot.top, width, height: plot.height, 'fill-opacity': 0.3 }),
    element('rect', { x, y: plot.top - 3, width, height: 3 }),
  );
}

interface Words {
  readonly counts: ReadonlyMap<Severity, number>;
  readonly left: number;
  readonly right: number;
}

/** Returns the words of bands, each in the middle of what it is about; neighbors that have no room share theirs. */
function wordsOf(
  plot: Plot,
  bands: readonly Band[],
): readonly { readonly middle: number; readonly text: string }[] {
  const words: Words[] = [];
  for (const band of bands.toSorted((a, b) => a.left - b.left)) {
    let next: Words = { ...band, counts: new Map([[band.severity, band.count]]) };
    for (let last = words.at(-1); last !== undefined; last = words.at(-1)) {
      if (placed(plot, last).right + wordSize <= placed(plot, next).left) break;
      next = together(last, next);
      words.pop();
    }
    words.push(next);
  }
  return words.map((each) => {
    const { left, right } = placed(plot, each);
    return { middle: Math.round((left + right) / 2), text: wordsText(each) };
  });
}

const together = (a: Words, b: Words): Words => ({
  left: Math.min(a.left, b.left),
  right: Math.max(a.right, b.right),
  counts: new Map(
    severities.flatMap((each) => {
      const count = (a.counts.get(each) ?? 0) + (b.counts.get(each) ?? 0);
      return count === 0 ? [] : [[each, count] as const];
    }),
  ),
});

/** Returns the edges of the words: centered, and within the plot. */
function placed(plot: Plot, words: Words): { readonly left: number; readonly right: number } {
  const width = textWidth(wordsText(words), wordSize);
  const wanted = (words.left + words.right - width) / 2;
  const left = Math.max(plot.left, Math.min(plot.left + plot.width - width, wanted));
  return { left, right: left + width };
}

/** The worst first: `ended, slowed ×12`. */
const wordsText = ({ counts }: Words) =>
  severities
    .toReversed()
    .flatMap((each) => {
      const count = counts.get(each) ?? 0;
      if (count === 0) return [];
      return [`${severityWords[each]}${count === 1 ? '' : ` ×${count}`}`];
    })
    .join(', ');
