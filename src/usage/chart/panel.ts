/** The chart of one metric: what it is, a sentence of numbers, and use over time under its limit. */
import { metricWords } from './metric-words.ts';
import type { MetricKey } from '../metrics.ts';
import { drawBands, wordsHeight, type ChartIncident } from './bands.ts';
import { element } from './markup.ts';
import { momentAt, runsOf, xOf, yOf, type Plot, type Run } from './plot.ts';
import { fitText, textAt, textWidth, wrapText } from './text.ts';
import type { Theme } from './theme.ts';
import { timeTicks } from './time-axis.ts';
import { valueAxis, valueText, type ValueAxis } from './value-axis.ts';

export interface ChartPanel {
  /** The metric. */
  readonly metric: MetricKey;
  /** Averages of equal parts of the period; null if nothing was measured. */
  readonly averages: readonly (number | null)[];
  /** Maxima of the same parts; null if unknown. */
  readonly maxima: readonly (number | null)[];
  /** The whole period; absent if nothing was measured. */
  readonly whole?: WholePeriod;
  /** The limit now; absent if there is none. */
  readonly limit?: number;
  /** The limits in the period, the oldest first; absent if no other one than now is known. */
  readonly limits?: readonly LimitStep[];
  /** Incidents of this limit. */
  readonly incidents: readonly ChartIncident[];
}

/** A limit that was in force until the next one. */
export interface LimitStep {
  /** Milliseconds since 1970. */
  readonly from: number;
  /** The limit; absent if there was none. */
  readonly limit?: number;
}

/** Values of a whole period. */
export interface WholePeriod {
  /** The average. */
  readonly average: number;
  /** The highest value. */
  readonly max: number;
}

/** The common part of all panels of a chart. */
export interface ChartFrame {
  readonly from: number;
  readonly to: number;
  /** The time zone of its times, such as `Europe/Berlin`. */
  readonly timeZone: string;
  readonly width: number;
  readonly theme: Theme;
}

interface Drawn {
  readonly height: number;
  readonly content: readonly string[];
}

export const margin = { left: 64, right: 52 } as const;
const plotHeight = 130;
const sizes = { title: 14, text: 12, axis: 11 } as const;
const lineHeight = 17;
/** The room below the plot, for times. */
const timesHeight = 22;

const titles: Readonly<Partial<Record<MetricKey, string>>> = {
  cpu: 'CPU',
  cache: 'Page cache',
  read: 'Disk reading',
  write: 'Disk writing',
  total: 'Disk reading and writing',
  reads: 'Disk read operations',
  writes: 'Disk write operations',
  operations: 'Disk operations',
  threads: 'Processes and threads',
  throttled: 'Slowed down at the CPU limit',
  cpuPressure: 'Waiting for CPU',
  memoryPressure: 'Waiting for memory',
  ioPressure: 'Waiting for disks',
  databaseCpu: 'CPU of database servers',
  databaseConnections: 'Connections to database servers',
  sent: 'Sent to the network',
  received: 'Received from the network',
  connectionsOut: 'Connections opened in the network',
};

/** Returns the name of a metric in words. */
export function metricTitle(metric: MetricKey): string {
  const { title } = metricWords[metric];
  return titles[metric] ?? `${title.slice(0, 1).toUpperCase()}${title.slice(1)}`;
}

/** Describes a panel: `average 31 %, highest 97 %, limit now 100 %`. */
export function panelSentence({ metric, whole, limit }: ChartPanel): string {
  const text = (value: number) => valueText(metric, value);
  const held = limit === undefined ? 'no limit' : `limit now ${text(limit)}`;
  if (whole === undefined) return `not measured, ${held}`;
  return `average ${text(whole.average)}, highest ${text(whole.max)}, ${held}`;
}

export function drawPanel(panel: ChartPanel, frame: ChartFrame, top: number): Drawn {
  const { width, theme, from, to, timeZone } = frame;
  const axis = valueAxis(panel.metric, highestOf(panel));
  const inner = width - margin.left - margin.right;
  const head = headOf(panel, axis, width - 2 * 16);
  const begin = top + head.length * lineHeight + wordsHeight;
  const sides = { left: margin.left, top: begin, width: inner, height: plotHeight };
  const plot: Plot = { ...sides, from, to, highest: axis.highest };
  const content = [
    ...head.map((text, index) =>
      textAt(16, top + (index + 1) * lineHeight - 4, text, headStyle(index, theme)),
    ),
    ...drawAxes(plot, axis, frame),
    ...drawMaxima(plot, panel, theme),
    ...drawBands(plot, panel.incidents, theme, timeZone),
    ...drawAverages(plot, panel, theme),
    ...drawLimit(plot, panel, theme),
  ];
  return { height: begin + plotHeight + timesHeight - top, content };
}

const headOf = (panel: ChartPanel, { words }: ValueAxis, width: number) => [
  fitText(`${metricTitle(panel.metric)} (${words})`, sizes.title * 1.12, width),
  ...wrapText(panelSentence(panel), sizes.text, width),
];

const headStyle = (index: number, theme: Theme) =>
  index === 0
    ? ({ size: sizes.title, fill: theme.text, weight: 'bold' } as const)
    : { size: sizes.text, fill: theme.quiet };

const highestOf = ({ averages, maxima, limit = 0, limits = [] }: ChartPanel) =>
  [...averages, ...maxima, ...limits.map((each) => each.limit ?? 0)].reduce<number>(
    (max, each) => Math.max(max, each ?? 0),
    limit,
  );

function drawAxes(plot: Plot, axis: ValueAxis, { theme, timeZone }: ChartFrame): readonly string[] {
  const { left, top, width, height } = plot;
  const label = { size: sizes.axis, fill: theme.quiet };
  const values = axis.ticks.flatMap(({ value, label: text }) => {
    const y = yOf(plot, value);
    return [
      element('line', { x1: left, x2: left + width, y1: y, y2: y, stroke: theme.grid }),
      textAt(left - 6, y + 4, text, { ...label, anchor: 'end' }),
    ];
  });
  const room = textWidth('00 Nov', sizes.axis) * 1.6;
  const times = timeTicks(plot, timeZone, Math.floor(width / room)).flatMap(
    ({ at, label: text }) => {
      const x = xOf(plot, at);
      const bottom = top + height;
      return [
        element('line', { x1: x, x2: x, y1: bottom, y2: bottom + 4, stroke: theme.quiet }),
        textAt(x, bottom + 16, text, { ...label, anchor: 'middle' }),
      ];
    },
  );
  return [...values, ...times];
}

/** Returns a path of steps: each part is as wide as its time, so that a single one between two gaps can be seen. */
function steps(plot: Plot, { first, values }: Run, parts: number): string {
  const x = (part: number) => xOf(plot, momentAt(plot, part / parts));
  return values.map((each, index) => `V${yOf(plot, each)}H${x(first + index + 1)}`).join('');
}

function drawMaxima(plot: Plot, { maxima }: ChartPanel, theme: Theme): readonly string[] {
  const bottom = yOf(plot, 0);
  const areas = runsOf(maxima).map((run) => {
    const x = xOf(plot, momentAt(plot, run.first / maxima.length));
    return `M${x},${bottom}${steps(plot, run, maxima.length)}V${bottom}Z`;
  });
  if (areas.length === 0) return [];
  return [element('path', { d: areas.join(''), fill: theme.maximum })];
}

/** The line is above bands, which would change its color. */
function drawAverages(plot: Plot, { averages }: ChartPanel, theme: Theme): readonly string[] {
  const lines = runsOf(averages).map((run) => {
    const x = xOf(plot, momentAt(plot, run.first / averages.length));
    return `M${x},${yOf(plot, run.values[0] ?? 0)}${steps(plot, run, averages.length)}`;
  });
  if (lines.length === 0) return notMeasured(plot, theme);
  const path = { d: lines.join(''), fill: 'none', stroke: theme.average, 'stroke-width': 1.6 };
  return [element('path', path)];
}

const notMeasured = ({ left, top, width, height }: Plot, theme: Theme) => [
  textAt(left + width / 2, top + height / 2, 'not measured', {
    size: sizes.text,
    fill: theme.quiet,
    anchor: 'middle',
  }),
];

/** Draws the limit as it was, as far as that is known, with its word outside the plot, where no line crosses it. */
function drawLimit(plot: Plot, { limit, limits }: ChartPanel, theme: Theme): readonly string[] {
  const right = plot.left + plot.width;
  const style = { stroke: theme.limit, 'stroke-width': 1.5, 'stroke-dasharray': '7 4' };
  const now = limit === undefined ? undefined : yOf(plot, limit);
  const path = limits === undefined ? undefined : limitPath(plot, limits);
  return [
    ...(path === undefined || path === ''
      ? []
      : [element('path', { d: path, fill: 'none', ...style })]),
    ...(limits !== undefined || now === undefined
      ? []
      : [element('line', { x1: plot.left, x2: right, y1: now, y2: now, ...style })]),
    ...(now === undefined
      ? []
      : [textAt(right + 6, now + 4, 'limit', { size: sizes.text, fill: theme.text })]),
  ];
}

/** Returns a line of steps, with gaps where there was no limit. */
function limitPath(plot: Plot, limits: readonly LimitStep[]): string {
  let isDrawing = false;
  return limits
    .map(({ from, limit }, index) => {
      const wasDrawing = isDrawing;
      isDrawing = limit !== undefined;
      if (limit === undefined) return '';
      const y = yOf(plot, limit);
      const begin = wasDrawing ? `V${y}` : `M${xOf(plot, from)},${y}`;
      return `${begin}H${xOf(plot, limits[index + 1]?.from ?? plot.to)}`;
    })
    .join('');
}
