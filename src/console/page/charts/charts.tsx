/** All charts of a member over a period, with one cursor. */
import { useSignal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import type { IncidentRow, IncidentsResponse, TopRow } from '../../../agent/api/api.ts';
import type { UsageResponse } from '../../../agent/api/usage-api.ts';
import type { SeriesColumnsResponse } from '../../../agent/api/report-api.ts';
import { useAnswer, type Asked } from '../state/answer.ts';
import { chartOfLimit, chartsFor, measuredCharts, type Chart } from '../state/charts.ts';
import { whatHappened } from '../state/incident-words.ts';
import { language, numbers } from '../state/language.ts';
import { words } from '../member/words.ts';
import { argumentOf } from '../state/member.ts';
import type { Period } from '../state/period.ts';
import { href, route } from '../state/route.ts';
import { ChartView, type Cursor } from './chart.tsx';
import { Answered } from '../parts/notes.tsx';
import type { PlotBand } from './plot-content.ts';

/** The parts of a period; a chart is hardly wider in pixels. */
const points = 480;

interface ChartsProps {
  readonly who: TopRow;
  readonly period: Period;
  readonly incidents: Asked<IncidentsResponse>;
}

export function Charts({ who, period: { from, to }, incidents }: ChartsProps) {
  const possible = chartsFor(who.limits);
  const question = {
    tenant: argumentOf(who),
    from,
    to,
    metric: possible.flatMap(({ lines }) => [...lines]),
  };
  const series = useAnswer<SeriesColumnsResponse>('v1/series', { ...question, points });
  const usage = useAnswer<UsageResponse>('v1/usage', question);
  return (
    <Answered asked={series}>
      {(answer) => (
        <ChartGrid
          charts={measuredCharts(possible, answer)}
          series={answer}
          usage={usage.value}
          incidents={incidents.value?.incidents ?? none}
        />
      )}
    </Answered>
  );
}

const none: readonly IncidentRow[] = [];

interface ChartGridProps {
  readonly charts: readonly Chart[];
  readonly series: SeriesColumnsResponse;
  readonly usage: UsageResponse | undefined;
  readonly incidents: readonly IncidentRow[];
}

function ChartGrid(latest: ChartGridProps) {
  const cursor = useSignal<number | undefined>(undefined);
  const { path, query } = route.value;
  const before = { ...Object.fromEntries(query), incident: undefined };
  const address = href(path, before);
  const { charts, series, usage, incidents } = useHeld(latest, cursor);
  const bands = useMemo(
    () => bandsOf(charts, incidents, (id) => href(path, { ...before, incident: String(id) })),
    [series, incidents, language.value, address],
  );
  const { tenant } = words.value;
  const { since } = series;
  const share = measuredShare(series);
  const hasGaps = measuredShare({ ...series, from: since ?? series.from }) < fully;
  if (share === 0 && since !== undefined)
    return <p class="note">{tenant.charts.nothingYet(numbers.value.moment(since))}</p>;
  if (share === 0) return <p class="note">{tenant.charts.nothing}</p>;
  const [row] = usage?.rows ?? [];
  return (
    <>
      <p class="quiet">
        {since !== undefined && `${tenant.charts.since(numbers.value.moment(since))} `}
        {hasGaps && tenant.charts.partly(numbers.value.percent(share))}{' '}
        <span class="pointer-only">{tenant.charts.hint}</span>
      </p>
      <div class="charts">
        {charts.map((chart) => (
          <ChartView
            key={chart.key}
            chart={chart}
            series={series}
            distribution={row?.metrics[chart.lines[0]!]}
            bands={bands.get(chart.key) ?? noBands}
            cursor={cursor}
          />
        ))}
      </div>
    </>
  );
}

/** Returns the content of before while the cursor is on a chart: a refresh moves nothing that somebody looks at. */
function useHeld(latest: ChartGridProps, cursor: Cursor): ChartGridProps {
  const held = useRef(latest);
  const { usage, incidents } = held.current;
  const isComplete = usage !== undefined && incidents !== none;
  const isHeld = cursor.peek() !== undefined && isComplete && isRefresh(held.current, latest);
  if (!isHeld) held.current = latest;
  return held.current;
}

const refreshMillisecondsMax = 15 * 60_000;

/** Whether it is the same period, moved on a little. */
const isRefresh = ({ series: before }: ChartGridProps, { series: now }: ChartGridProps) =>
  before.to - before.from === now.to - now.from &&
  Math.abs(now.to - before.to) <= refreshMillisecondsMax;

const noBands: readonly PlotBand[] = [];
/** A tick that is still going on is not a gap. */
const fully = 0.995;

function measuredShare({ from, to, seconds }: SeriesColumnsResponse): number {
  const measured = seconds.reduce((sum, each) => sum + each, 0);
  return Math.min(1, measured / ((to - from) / 1000));
}

/** Returns the marks of incidents by chart. */
function bandsOf(
  charts: readonly Chart[],
  incidents: readonly IncidentRow[],
  hrefOf: (id: number) => string,
) {
  const bands = new Map<string, PlotBand[]>();
  for (const row of incidents) {
    const chart = chartOfLimit(charts, row.limit);
    if (chart === undefined) continue;
    const band: PlotBand = {
      id: String(row.id),
      from: row.begin,
      to: row.end,
      level: row.severity,
      title: whatHappened(row),
      href: hrefOf(row.id),
    };
    bands.set(chart.key, [...(bands.get(chart.key) ?? []), band]);
  }
  return bands;
}
