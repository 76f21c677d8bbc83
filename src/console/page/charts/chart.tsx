/** One chart: a sentence, the course with limit and incidents, the values at the cursor, and the same as a table. */
import { effect, type Signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Distribution } from '../../../agent/api/usage-api.ts';
import type { SeriesColumnsResponse } from '../../../agent/api/report-api.ts';
import { metrics } from '../../../usage/metrics.ts';
import { tableRows } from '../state/chart-numbers.ts';
import type { Chart, LineKey } from '../state/charts.ts';
import { isDark } from '../state/color-scheme.ts';
import { language, numbers } from '../state/language.ts';
import { words } from '../member/words.ts';
import { metricText } from '../state/measures.ts';
import { queryForMoments } from '../state/period.ts';
import { href, route } from '../state/route.ts';
import type { LineKind, PlotBand, PlotContent } from './plot-content.ts';

const height = 190;
const kindsOfLines: readonly LineKind[] = ['main', 'second', 'third'];

export type Cursor = Signal<number | undefined>;

interface ChartProps {
  readonly chart: Chart;
  readonly series: SeriesColumnsResponse;
  /** The distribution of the first metric over the period; absent until it is known. */
  readonly distribution: Distribution | undefined;
  readonly bands: readonly PlotBand[];
  readonly cursor: Cursor;
}

export function ChartView({ chart, series, distribution, bands, cursor }: ChartProps) {
  const title = words.value.tenant.charts.names[chart.key];
  return (
    <figure class="panel chart">
      <figcaption>
        <h3>{title}</h3>
        <Sentence chart={chart} series={series} distribution={distribution} />
      </figcaption>
      <Plot chart={chart} series={series} bands={bands} cursor={cursor} />
      <CursorLine chart={chart} series={series} cursor={cursor} />
      <AsTable chart={chart} series={series} />
    </figure>
  );
}

function Sentence({
  chart,
  series,
  distribution,
}: Pick<ChartProps, 'chart' | 'series' | 'distribution'>) {
  const { charts } = words.value.tenant;
  const [metric] = chart.lines;
  if (metric === undefined || distribution === undefined) return <p class="quiet">{'\u00a0'}</p>;
  const text = (value: number) => metricText(metric, value);
  const { average, p95, max } = distribution;
  const limit = series.metrics[metric]?.limitNow;
  const name = charts.names[chart.key];
  const first = charts.average(text(average));
  const short = [
    chart.lines.length === 1
      ? first
      : charts.value(lineName(chart, metric, words.value.tenant.metrics[metric]), first),
    charts.p95(text(p95)),
    charts.highest(text(max)),
    ...(limit === undefined ? [] : [charts.limit(text(limit))]),
  ];
  return (
    <p class="quiet">
      <span aria-hidden="true">{short.join(' · ')}</span>
      <span class="hidden">
        {charts.sentence(name, text(average), text(p95), text(max))}{' '}
        {limit !== undefined && charts.limitSentence(text(limit))}
      </span>
    </p>
  );
}

function Plot({ chart, series, bands, cursor }: Omit<ChartProps, 'distribution'>) {
  const target = useRef<HTMLDivElement>(null);
  const [isMissing, setMissing] = useState(false);
  useEffect(() => {
    const ends: (() => void)[] = [];
    let isGone = false;
    const draw = async () => {
      const { drawPlot } = await import('./plot.ts');
      const element = target.current;
      if (isGone || element === null) return;
      const plot = drawPlot(element, contentOf(chart, series, bands), {
        height,
        valueText: (value) => metricText(chart.lines[0]!, value),
        language: language.value,
        onCursor: (index) => (cursor.value = index),
        onPeriod: (from, to) => {
          const { path, query } = route.peek();
          location.hash = href(path, {
            ...Object.fromEntries(query),
            ...queryForMoments(from, to),
          });
        },
      });
      ends.push(
        effect(() => plot.showCursor(cursor.value)),
        plot.end,
      );
    };
    draw().catch(() => setMissing(true));
    return () => {
      isGone = true;
      for (const end of ends) end();
    };
  }, [chart.key, series, bands, isDark.value, language.value]);
  return (
    <div ref={target} class="plot" aria-hidden="true" style={{ blockSize: `${height}px` }}>
      {isMissing && <p class="quiet">{words.value.errors.noAnswer}</p>}
    </div>
  );
}

function contentOf(
  chart: Chart,
  { from, to, metrics: columns }: SeriesColumnsResponse,
  bands: readonly PlotBand[],
): PlotContent {
  const [first] = chart.lines;
  const lines = chart.lines.map((line, at) => ({
    kind: kindsOfLines[at] ?? 'third',
    values: columns[line]?.average ?? [],
  }));
  const peaks = first === undefined ? [] : (columns[first]?.max ?? []);
  return {
    from,
    to,
    lines:
      chart.lines.length === 1 ? [{ kind: 'peak', values: peaks }, ...lines] : lines.toReversed(),
    limit: first === undefined ? undefined : columns[first]?.limitNow,
    unit: metrics[first ?? 'cpu'].unit,
    bands,
  };
}

/** The values at the cursor; the names of the lines, if there are several. */
function CursorLine({ chart, series, cursor }: Pick<ChartProps, 'chart' | 'series' | 'cursor'>) {
  const { charts, metrics: names } = words.value.tenant;
  const index = cursor.value;
  const isSingle = chart.lines.length === 1;
  const { from, to, seconds } = series;
  const at = index === undefined ? 0 : from + ((index + 0.5) / seconds.length) * (to - from);
  return (
    <p class="cursor-line">
      {index !== undefined && charts.at(numbers.value.time(at, Date.now()), '')}
      {chart.lines.map((line, place) => (
        <span key={line} class="key">
          {!isSingle && <span class="swatch" data-line={kindsOfLines[place]} aria-hidden="true" />}
          {!isSingle && lineName(chart, line, names[line])}{' '}
          {index !== undefined && valueAt(series, line, index, isSingle)}
        </span>
      ))}
      {isSingle && index === undefined && '\u00a0'}
    </p>
  );
}

/** Memory without page cache is what programs use; elsewhere it is simply memory. */
const lineName = ({ key }: Chart, line: LineKey, name: string) =>
  key === 'memory' && line === 'anonymous' ? words.value.tenant.charts.programs : name;

function valueAt(
  series: SeriesColumnsResponse,
  line: LineKey,
  index: number,
  withPeak: boolean,
): string {
  const { notMeasured, tenant } = words.value;
  const column = series.metrics[line];
  const average = column?.average[index] ?? null;
  if (average === null) return notMeasured;
  const value = metricText(line, average);
  const peak = withPeak ? (column?.max[index] ?? null) : null;
  return peak === null || metricText(line, peak) === value
    ? value
    : `${value} (${tenant.charts.upTo(metricText(line, peak))})`;
}

function AsTable({ chart, series }: Pick<ChartProps, 'chart' | 'series'>) {
  const [isOpen, setOpen] = useState(false);
  const { charts } = words.value.tenant;
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {charts.asTable}
        <span class="hidden"> {charts.names[chart.key]}</span>
      </summary>
      {isOpen && <ValueTable chart={chart} series={series} />}
    </details>
  );
}

function ValueTable({ chart, series }: Pick<ChartProps, 'chart' | 'series'>) {
  const { notMeasured, tenant } = words.value;
  const { from, to, seconds, metrics: columns } = series;
  const lines = chart.lines.map((line) => columns[line]?.average ?? []);
  const isSingle = chart.lines.length === 1;
  return (
    <table class="values">
      <thead>
        <tr>
          <th scope="col">{tenant.charts.time}</th>
          {chart.lines.map((line) => (
            <th key={line} scope="col" class="number">
              {isSingle ? tenant.charts.names[chart.key] : tenant.metrics[line]}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {tableRows({ from, to, seconds, lines }).map((row) => (
          <tr key={row.from}>
            <th scope="row">{numbers.value.time(row.from, Date.now())}</th>
            {row.values.map((value, at) => (
              <td key={chart.lines[at]} class="number">
                {value === null ? notMeasured : metricText(chart.lines[at]!, value)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
