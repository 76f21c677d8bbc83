/**
 * Charts of a tenant's use as SVG, one below the other, as lvechart draws them. Clients read the numbers back out of
 * the arguments of `show_tip`, so these, the ids and the order of attributes are a contract:
 *
 *     <svg id="svg-1" …><text x="55" y="10">CPU</text>
 *       <rect … fill="green"/><text …>average</text>
 *       <line onmousemove="show_tip(evt, 'svg-1', 55, 80, 65, 70, 'Jan-29 04:28PM', '40%', 'Jan-29 04:29PM', '45%')"
 *         stroke="green" x1="55" x2="65" y1="80" y2="70"/>
 *       <line stroke="aquamarine" x1="60" x2="60" y1="20" y2="120"/></svg>
 *
 * Aquamarine lines are faults. A part of the period in which nothing was measured has no line.
 */

import { element, escapeXml } from '../../../usage/chart/markup.ts';
import { momentAt, runsOf, xOf, yOf, type Plot } from '../../../usage/chart/plot.ts';

export interface ChartSeries {
  readonly title: string;
  /** Averages of equal parts of the period; null if nothing was measured. */
  readonly points: readonly (number | null)[];
  /** Absent if there is none. */
  readonly limit: number | undefined;
  /** The times of faults, in milliseconds since 1970. */
  readonly faults: readonly number[];
  /** Formats a value with its unit; the text has no quotes. */
  readonly format: (value: number) => string;
}

export interface ChartPeriod {
  readonly from: number;
  readonly to: number;
}

const left = 55;
const top = 20;
const width = 600;
const height = 100;
const blockHeight = height + 2 * top;

const colors = { average: 'green', limit: 'red', fault: 'aquamarine' } as const;

export function usageChart(charts: readonly ChartSeries[], period: ChartPeriod): string {
  const blocks = charts.map((each, index) => block(each, index, period));
  const size = { width: left + width + 20, height: Math.max(1, charts.length) * blockHeight };
  // Lines name this function, which a page that embeds the chart may replace.
  const script = element('script', {}, 'function show_tip() {}');
  const svg = element('svg', { xmlns: 'http://www.w3.org/2000/svg', ...size }, script, ...blocks);
  return `${svg}\n`;
}

function block(series: ChartSeries, index: number, { from, to }: ChartPeriod): string {
  const { title, points, limit, faults } = series;
  const id = `svg-${index + 1}`;
  const plot: Plot = { left, top, width, height, from, to, highest: highestOf(series) };
  const draw = (values: readonly (number | null)[], color: string) =>
    lines(values, { id, color, plot, format: series.format });
  const flat = limit === undefined ? [] : points.map(() => limit);
  const size = { y: index * blockHeight, width: left + width + 20, height: blockHeight };
  return element(
    'svg',
    { id, ...size },
    label(left, title),
    ...legend('average', 400),
    ...(limit === undefined ? [] : legend('limit', 500)),
    ...draw(points, colors.average),
    ...draw(flat, colors.limit),
    ...faults.map((at) => faultLine(at, plot)),
  );
}

const label = (x: number, text: string) =>
  element('text', { x, y: 10, 'font-size': 10 }, escapeXml(text));

const legend = (name: 'average' | 'limit', x: number) => [
  element('rect', { x, y: 2, width: 8, height: 8, fill: colors[name] }),
  label(x + 12, name),
];

const highestOf = ({ points, limit = 0 }: ChartSeries) =>
  Math.max(limit, ...points.map((each) => each ?? 0)) || 1;

interface Drawn {
  readonly id: string;
  readonly color: string;
  readonly plot: Plot;
  readonly format: (value: number) => string;
}

const lines = (values: readonly (number | null)[], drawn: Drawn): readonly string[] =>
  runsOf(values).flatMap(({ first, values: run }) => {
    const ends = run.map((value, index) =>
      endOf(value, (first + index + 0.5) / values.length, drawn),
    );
    return ends.slice(1).map((end, index) => line(ends[index] ?? end, end, drawn));
  });

interface End {
  readonly x: number;
  readonly y: number;
  readonly time: string;
  readonly text: string;
}

/** Returns the end of a line in the middle of a part, at a share of the period. */
function endOf(value: number, share: number, { format, plot }: Drawn): End {
  const at = momentAt(plot, share);
  return {
    x: xOf(plot, at),
    y: yOf(plot, value),
    time: chartMoment(at),
    text: format(value),
  };
}

function line(a: End, b: End, { id, color }: Drawn): string {
  const words = [
    `'${id}'`,
    a.x,
    a.y,
    b.x,
    b.y,
    `'${a.time}'`,
    `'${a.text}'`,
    `'${b.time}'`,
    `'${b.text}'`,
  ];
  const onmousemove = `show_tip(evt, ${words.join(', ')})`;
  return element('line', { onmousemove, stroke: color, x1: a.x, x2: b.x, y1: a.y, y2: b.y });
}

function faultLine(at: number, plot: Plot): string {
  const x = xOf(plot, at);
  return element('line', { stroke: colors.fault, x1: x, x2: x, y1: top, y2: top + height });
}

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** Formats a local time as charts do: `Jan-29 04:28PM`. */
export function chartMoment(milliseconds: number): string {
  const date = new Date(milliseconds);
  const two = (number: number) => String(number).padStart(2, '0');
  const hour = date.getHours();
  return `${months[date.getMonth()]}-${two(date.getDate())} ${two(hour % 12 || 12)}:${two(date.getMinutes())}${hour < 12 ? 'AM' : 'PM'}`;
}
