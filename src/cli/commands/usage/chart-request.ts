/** The requests of `bulkhead chart`: a member's series, incidents and limits, as the chart draws them. */
import { hostname } from 'node:os';
import type { IncidentRow, IncidentsResponse } from '../../../agent/api/api.ts';
import type { SeriesResponse, UsageResponse, UsageRow } from '../../../agent/api/usage-api.ts';
import type { MovedResponse } from '../../../agent/history/history-api.ts';
import type { StatusResponse } from '../../../agent/api/status-response.ts';
import { hostTimeZone } from '../../../agent/alerts/time-zone.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { ChartPanel } from '../../../usage/chart/panel.ts';
import type { Member } from '../../../usage/member.ts';
import { metrics, type MetricKey } from '../../../usage/metrics.ts';
import type { AgentRequest } from '../../shared/agent-request.ts';
import type { Period } from '../../shared/period.ts';
import type { ChartJson } from '../json.ts';
import { movedNote, withMoved } from './moved.ts';
import { limitSteps, type LimitsFrom } from './earlier-limits.ts';

export interface ChartQuestion {
  readonly tenant: string;
  readonly period: Period;
  /** Absent: the usual ones, and others with a limit. */
  readonly metrics: readonly MetricKey[] | undefined;
  /** The most parts that the chart has room for. */
  readonly partsMax: number;
  /** Returns the limits of the member in the period, where they may be read. */
  readonly earlier: (member: Member, period: Period) => Result<readonly LimitsFrom[], Problem>;
}

const second = 1000;
const hour = 3_600_000;
/** Lengths of parts. */
const lengths = [
  ...[10, 30, 60, 300, 600, 900, 1800].map((each) => each * second),
  ...[1, 2, 3, 6, 12, 24, 48, 168, 672].map((each) => each * hour),
];
/** The time between two ticks, if the caller may not ask for it; longer ones make steps, no gaps. */
const defaultTickSeconds = 30;
const incidentsMax = 1000;

const usual: readonly MetricKey[] = ['cpu', 'memory', 'read', 'write', 'threads'];
const ifLimited: readonly MetricKey[] = [
  'total',
  'reads',
  'writes',
  'operations',
  'databaseCpu',
  'databaseConnections',
  'sent',
  'received',
  'connectionsOut',
];

export async function askChart(
  ask: AgentRequest,
  question: ChartQuestion,
): Promise<Result<ChartJson, Problem>> {
  const { tenant } = question;
  const status = await ask<StatusResponse>('/v1/status');
  const tick = status.ok ? status.value.tick.intervalSeconds : defaultTickSeconds;
  const { from, to, partSeconds } = partsOf(question, tick);
  const metric = question.metrics ?? [...usual, ...ifLimited];
  const usage = await ask<UsageResponse>('/v1/usage', { from, to, tenant, metric });
  if (!usage.ok) return usage;
  const [row] = usage.value.rows;
  if (row === undefined)
    return failed({
      action: 'show tenant',
      object: tenant,
      reason: 'there is none with that name that you may see',
    });
  const query = { from, to, tenant: row.member, count: incidentsMax };
  const hits = await ask<IncidentsResponse>('/v1/incidents', query);
  if (!hits.ok) return hits;
  const earlier = question.earlier(row.member, { from, to });
  const shown = question.metrics ?? metricsFor(row);
  const points = Math.round((to - from) / second / partSeconds);
  const moved = await ask<MovedResponse>('/v1/moved', {
    from,
    to,
    tenant: row.member,
    metric: shown,
    points: partSeconds * second < hour ? 0 : points,
  });
  const records = moved.ok ? moved.value.records : [];
  const panels: ChartPanel[] = [];
  for (const metric of shown) {
    const asked = { from, to, tenant: row.member, metric, points, maxima: 1 };
    const series = await ask<SeriesResponse>('/v1/series', asked);
    if (!series.ok) return series;
    const own = panelOf(series.value, row, usage.value, hits.value.incidents);
    const panel = withMoved(own, records);
    panels.push({ ...panel, ...(earlier.ok && stepsOf(panel, earlier.value)) });
  }
  const {
    metrics: _,
    limits: _1,
    limitTexts: _2,
    faults: _3,
    mail: _4,
    sentByWeb: _6,
    cpuLimitNow: _5,
    ...who
  } = row;
  const unknown = earlier.ok ? [] : [`Earlier limits are unknown: ${earlier.error.reason}.`];
  const notes = [
    ...notesOf(hits.value, panels),
    ...unknown,
    ...records.flatMap(movedNote),
    ...(moved.ok ? [] : [`The history from other hosts is unknown: ${moved.error.reason}.`]),
  ];
  const zone = { timeZone: hostTimeZone() };
  return ok({ who, host: hostname(), from, to, ...zone, partSeconds, panels, notes });
}

/**
 * Divides the period into equal parts of a round length, none shorter than two ticks. It begins earlier if it must; from
 * an hour on, parts are whole hours, for which the history has maxima.
 */
function partsOf({ period, partsMax }: ChartQuestion, tickSeconds: number) {
  const { from, to } = period;
  const least = Math.min(2 * tickSeconds * second, to - from);
  const length =
    lengths.find((each) => each >= least && (to - from) / each <= partsMax) ??
    Math.ceil((to - from) / partsMax / hour) * hour;
  const end = length >= hour ? Math.ceil(to / hour) * hour : to;
  const count = Math.ceil((end - from) / length);
  return { from: end - count * length, to: end, partSeconds: length / second };
}

const metricsFor = ({ metrics: measured, limits }: UsageRow): readonly MetricKey[] => [
  ...usual,
  ...ifLimited.filter((key) => {
    const { limit } = metrics[key];
    return measured[key] !== undefined && limit !== undefined && limits[limit] !== undefined;
  }),
];

function panelOf(
  { metric, points, maxima, limit }: SeriesResponse,
  { metrics: measured }: UsageRow,
  { measuredSeconds }: UsageResponse,
  incidents: readonly IncidentRow[],
): ChartPanel {
  const distribution = measuredSeconds > 0 ? measured[metric] : undefined;
  const unknown = points.map(() => null);
  // The history has zeros for a metric that this host cannot measure.
  const isMeasured = distribution !== undefined;
  return {
    metric,
    averages: isMeasured ? points : unknown,
    maxima: (isMeasured ? maxima : undefined) ?? unknown,
    ...(distribution && { whole: { average: distribution.average, max: distribution.max } }),
    ...(limit !== undefined && { limit }),
    incidents: incidents
      .filter((each) => isOf(metric, each))
      .map(({ id, severity, begin, end, faults }) => ({ id, severity, begin, end, faults })),
  };
}

function stepsOf(
  { metric, limit: now }: ChartPanel,
  earlier: readonly LimitsFrom[],
): Pick<ChartPanel, 'limits'> {
  const { limit } = metrics[metric];
  const limits = limit === undefined ? undefined : limitSteps(earlier, limit, now);
  return limits === undefined ? {} : { limits };
}

/** Whether an incident is shown with a metric: one of its limit; of CPU, memory and processes, any of the element. */
function isOf(metric: MetricKey, { limit }: IncidentRow): boolean {
  const own = metrics[metric].limit;
  if (own === undefined) return false;
  return own === limit || (own.endsWith('.limit') && limit.startsWith(own.replace(/limit$/, '')));
}

function notesOf(
  { incidents, total }: IncidentsResponse,
  panels: readonly ChartPanel[],
): readonly string[] {
  const shown = new Set(panels.flatMap((panel) => panel.incidents.map(({ id }) => id)));
  const others = incidents.filter(({ id }) => !shown.has(id)).length;
  const notes: string[] = [];
  if (total > incidents.length)
    notes.push(`Only the latest ${incidents.length} of ${total} incidents are shown.`);
  if (others > 0)
    notes.push(
      `${others} ${others === 1 ? 'incident' : 'incidents'} of other limits: "bulkhead faults" shows them.`,
    );
  return notes;
}
