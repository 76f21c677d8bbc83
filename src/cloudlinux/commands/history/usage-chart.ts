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
  const size = `width="${left + width + 20}" height="${Math.max(1, charts.length) * blockHeight}"`;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" ${size}>`,
    // Lines name this function, which a page that embeds the chart may replace.
    '<script>function show_tip() {}</script>',
    ...blocks,
    '</svg>',
  ].join('\n')}\n`;
}

function block(series: ChartSeries, index: number, period: ChartPeriod): string {
  const { title, points, limit, faults } = series;
  const id = `svg-${index + 1}`;
  const scale = scaleOf(series);
  const draw = (values: readonly (number | null)[], color: string) =>
    lines(values, { id, color, scale, format: series.format, period });
  const flat = limit === undefined ? [] : points.map(() => limit);
  return [
    `<svg id="${id}" y="${index * blockHeight}" width="${left + width + 20}" height="${blockHeight}">`,
    `<text x="${left}" y="10" font-size="10">${title}</text>`,
    ...legend('average', 400),
    ...(limit === undefined ? [] : legend('limit', 500)),
    ...draw(points, colors.average),
    ...draw(flat, colors.limit),
    ...faults.map((at) => faultLine(at, period)),
    '</svg>',
  ].join('\n');
}

const legend = (name: 'average' | 'limit', x: number) => [
  `<rect x="${x}" y="2" width="8" height="8" fill="${colors[name]}"/>`,
  `<text x="${x + 12}" y="10" font-size="10">${name}</text>`,
];

const scaleOf = ({ points, limit = 0 }: ChartSeries) =>
  Math.max(limit, ...points.map((each) => each ?? 0)) || 1;

interface Drawn {
  readonly id: string;
  readonly color: string;
  readonly scale: number;
  readonly format: (value: number) => string;
  readonly period: ChartPeriod;
}

function lines(values: readonly (number | null)[], drawn: Drawn): readonly string[] {
  return values.slice(1).flatMap((value, index) => {
    const before = values[index] ?? null;
    if (before === null || value === null) return [];
    const ends = [
      place(before, index, values.length, drawn),
      place(value, index + 1, values.length, drawn),
    ] as const;
    return [line(ends[0], ends[1], drawn)];
  });
}

interface End {
  readonly x: number;
  readonly y: number;
  readonly time: string;
  readonly text: string;
}

function place(
  value: number,
  index: number,
  count: number,
  { scale, format, period: { from, to } }: Drawn,
): End {
  const share = (index + 0.5) / count;
  return {
    x: tenth(left + share * width),
    y: tenth(top + (1 - value / scale) * height),
    time: chartMoment(from + share * (to - from)),
    text: format(value),
  };
}

const tenth = (value: number) => Math.round(value * 10) / 10;

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
  return `<line onmousemove="show_tip(evt, ${words.join(', ')})" stroke="${color}" x1="${a.x}" x2="${b.x}" y1="${a.y}" y2="${b.y}"/>`;
}

function faultLine(at: number, { from, to }: ChartPeriod): string {
  const x = tenth(left + Math.min(1, Math.max(0, (at - from) / (to - from))) * width);
  return `<line stroke="${colors.fault}" x1="${x}" x2="${x}" y1="${top}" y2="${top + height}"/>`;
}

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** Formats a local time as charts do: `Jan-29 04:28PM`. */
export function chartMoment(milliseconds: number): string {
  const date = new Date(milliseconds);
  const two = (number: number) => String(number).padStart(2, '0');
  const hour = date.getHours();
  return `${months[date.getMonth()]}-${two(date.getDate())} ${two(hour % 12 || 12)}:${two(date.getMinutes())}${hour < 12 ? 'AM' : 'PM'}`;
}
