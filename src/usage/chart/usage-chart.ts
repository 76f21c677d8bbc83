/**
 * A member's use over a period as one SVG, for tickets and mails: a heading, a legend of what occurs, and a panel for
 * each metric. It has no script and refers to nothing outside itself; people who cannot see it get a title and a
 * description. Parts of the period in which nothing was measured stay empty.
 */
import { severities } from '../../limits/limit.ts';
import { element, escapeXml } from './markup.ts';
import {
  drawPanel,
  metricTitle,
  panelSentence,
  type ChartFrame,
  type ChartPanel,
} from './panel.ts';
import { fitText, textAt, textWidth, wrapText } from './text.ts';
import { severityWords, themes, type Theme, type ThemeName } from './theme.ts';
import { lengthText, periodText } from './time-axis.ts';

/** The use of one member over a period. */
export interface UsageChart {
  /** The name of this host. */
  readonly host: string;
  /** The beginning of the first part, in milliseconds since 1970. */
  readonly from: number;
  /** The end of the last part, in milliseconds since 1970; it may be later than now. */
  readonly to: number;
  /** The time zone of the drawn times. */
  readonly timeZone: string;
  /** The charts, in their order. */
  readonly panels: readonly ChartPanel[];
  /** Sentences about what the chart lacks. */
  readonly notes: readonly string[];
}

export interface ChartLook {
  /** The account, or what else the member is called; whatever it contains stays text. */
  readonly name: string;
  /** Pixels, `chartWidths.min` to `chartWidths.max`. */
  readonly width: number;
  readonly theme: ThemeName;
}

export const chartWidths = { min: 360, default: 900, max: 4000 } as const;

const edge = 16;
const sizes = { title: 18, text: 12 } as const;
const lineHeight = 17;
const panelGap = 14;
/** DejaVu Sans is first, so that a picture looks the same where text is measured and where it is read. */
const fonts = "'DejaVu Sans', Verdana, 'Segoe UI', Arial, sans-serif";

export function usageChartSvg(
  chart: UsageChart,
  { name, width, theme: themeName }: ChartLook,
): string {
  const theme = themes[themeName];
  const { from, to, timeZone } = chart;
  const frame: ChartFrame = { from, to, timeZone, width, theme };
  const content: string[] = [];
  let y = edge;
  const put = (drawn: { readonly height: number; readonly content: readonly string[] }) => {
    content.push(...drawn.content);
    y += drawn.height;
  };
  put(heading(chart, name, frame, y));
  put(legend(chart, frame, y));
  for (const panel of chart.panels) {
    y += panelGap;
    put(drawPanel(panel, frame, y));
  }
  const height = Math.ceil(y + edge);
  const attributes = {
    xmlns: 'http://www.w3.org/2000/svg',
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: 'img',
    'aria-labelledby': 'bulkhead-chart-title bulkhead-chart-desc',
    'font-family': fonts,
  };
  const svg = element(
    'svg',
    attributes,
    element('title', { id: 'bulkhead-chart-title' }, escapeXml(`Use of ${name} on ${chart.host}`)),
    element('desc', { id: 'bulkhead-chart-desc' }, escapeXml(description(chart))),
    element('rect', { width, height, fill: theme.background }),
    ...content,
  );
  return `${svg}\n`;
}

/** Describes the whole chart in sentences. */
function description(chart: UsageChart): string {
  const panels = chart.panels.map((panel) => {
    const hits = severities.toReversed().flatMap((severity) => {
      const found = panel.incidents.filter((each) => each.severity === severity).length;
      return found === 0 ? [] : [`${severityWords[severity]}: ${found}`];
    });
    const incidents = hits.length === 0 ? 'no incidents' : `incidents ${hits.join(', ')}`;
    return `${metricTitle(panel.metric)}: ${panelSentence(panel)}, ${incidents}.`;
  });
  return [`${periodText(chart, chart.timeZone)}.`, ...panels, ...chart.notes].join(' ');
}

function heading(chart: UsageChart, name: string, { width, theme }: ChartFrame, top: number) {
  const inner = width - 2 * edge;
  const lines = [`on ${chart.host}`, periodText(chart, chart.timeZone), ...chart.notes].flatMap(
    (each) => wrapText(each, sizes.text, inner),
  );
  const bold = { size: sizes.title, fill: theme.text, weight: 'bold' } as const;
  const begin = top + 20;
  return {
    height: 20 + lines.length * lineHeight + 6,
    content: [
      textAt(edge, begin - 4, fitText(name, sizes.title * 1.12, inner), bold),
      ...lines.map((each, index) =>
        textAt(edge, begin + (index + 1) * lineHeight - 3, each, {
          size: sizes.text,
          fill: theme.quiet,
        }),
      ),
    ],
  };
}

interface LegendItem {
  readonly words: string;
  readonly mark: (x: number, y: number) => string;
}

const markWidth = 22;

/** Explains the marks that occur, in as many lines as they need. */
function legend(chart: UsageChart, { width, theme }: ChartFrame, top: number) {
  let [x, y] = [edge, top];
  const content = legendItems(chart, theme).flatMap(({ words, mark }) => {
    const needed = markWidth + 6 + textWidth(words, sizes.text) + 14;
    if (x > edge && x + needed > width - edge) [x, y] = [edge, y + lineHeight];
    const at = x;
    x += needed;
    return [
      mark(at, y),
      textAt(at + markWidth + 6, y + 12, words, { size: sizes.text, fill: theme.text }),
    ];
  });
  return { height: y + lineHeight - top, content };
}

function legendItems({ panels, from, to }: UsageChart, theme: Theme): readonly LegendItem[] {
  const line = (stroke: string, dashes?: string) => (x: number, y: number) =>
    element('line', {
      x1: x,
      x2: x + markWidth,
      y1: y + 8,
      y2: y + 8,
      stroke,
      'stroke-width': 2,
      'stroke-dasharray': dashes,
    });
  const area = (fill: string, opacity?: number, stroke?: string) => (x: number, y: number) =>
    element('rect', {
      x,
      y: y + 2,
      width: markWidth,
      height: 12,
      fill,
      'fill-opacity': opacity,
      stroke,
    });
  const band = (fill: string) => (x: number, y: number) =>
    area(fill, 0.3)(x, y) + element('rect', { x, y: y + 2, width: markWidth, height: 3, fill });
  const some = (test: (panel: ChartPanel) => boolean, item: LegendItem) =>
    panels.some(test) ? [item] : [];
  const parts = panels[0]?.averages.length ?? 1;
  const length = lengthText((to - from) / parts);
  return [
    { words: `average of each ${length}`, mark: line(theme.average) },
    ...some(({ maxima }) => maxima.some((each) => each !== null), {
      words: `highest in each ${length}`,
      mark: area(theme.maximum),
    }),
    ...some(({ limit, limits }) => limit !== undefined || limits !== undefined, {
      words: panels.some(({ limits }) => limits !== undefined) ? 'limit at the time' : 'limit now',
      mark: line(theme.limit, '6 3'),
    }),
    ...severities.flatMap((severity) =>
      some(({ incidents }) => incidents.some((each) => each.severity === severity), {
        words: severityWords[severity],
        mark: band(theme.severities[severity]),
      }),
    ),
    ...some(({ averages }) => averages.includes(null), {
      words: 'empty: not measured',
      mark: area('none', undefined, theme.quiet),
    }),
  ];
}
