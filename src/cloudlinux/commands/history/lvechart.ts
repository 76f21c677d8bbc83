/** `bulkhead lvechart`: the use of one tenant in a period as SVG, like CloudLinux's command. */
import type { Command } from 'commander';
import { failed, formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { IncidentsResponse } from '../../../agent/api/api.ts';
import type { SeriesResponse } from '../../../agent/api/usage-api.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { agentRequest } from '../../../cli/shared/agent-request.ts';
import type { Period } from '../../../cli/shared/period.ts';
import { pathsFor, printError } from '../../../cli/shared/session.ts';
import { writeOut } from '../../../cli/shared/write-out.ts';
import type { Paths } from '../../../host/paths.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import type { MetricKey } from '../../../usage/metrics.ts';
import { usageChart, type ChartSeries } from './usage-chart.ts';
import { parseLvePeriod } from '../lve-period.ts';

interface ChartOptions {
  readonly from?: string;
  readonly to?: string;
  readonly period?: string;
  readonly user?: string;
  readonly id?: string;
  readonly output?: string;
  readonly showAll?: boolean;
  readonly style?: string;
  readonly format: string;
  readonly server?: string;
}

interface Chart {
  readonly title: string;
  readonly metric: MetricKey;
  readonly limits: readonly LimitKey[];
  readonly format: (value: number) => string;
  /** The charts instead, if reads and writes are limited, and not their total. */
  readonly directions?: readonly Chart[];
}

const mebibytes = (value: number) => `${Math.round(value / 2 ** 20)}MB`;
const kibibytes = (value: number) => `${Math.round(value / 1024)}KB/s`;
const whole = (value: number) => String(Math.round(value * 10) / 10);

const charts: readonly Chart[] = [
  {
    title: 'CPU',
    metric: 'cpu',
    limits: ['cpu.limit'],
    format: (value) => `${Math.round(value * 100)}%`,
  },
  { title: 'Physical memory', metric: 'memory', limits: ['memory.limit'], format: mebibytes },
  {
    title: 'IO',
    metric: 'total',
    limits: ['io.total', 'io.read', 'io.write'],
    format: kibibytes,
    directions: [
      { title: 'IO, reads', metric: 'read', limits: ['io.read'], format: kibibytes },
      { title: 'IO, writes', metric: 'write', limits: ['io.write'], format: kibibytes },
    ],
  },
  {
    title: 'IOPS',
    metric: 'operations',
    limits: ['io.operations', 'io.reads', 'io.writes'],
    format: whole,
    directions: [
      { title: 'IOPS, reads', metric: 'reads', limits: ['io.reads'], format: whole },
      { title: 'IOPS, writes', metric: 'writes', limits: ['io.writes'], format: whole },
    ],
  },
  { title: 'Processes', metric: 'threads', limits: ['processes.limit'], format: whole },
];

/** The number of points of a chart. */
const points = 60;

async function chart(options: ChartOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const asked = askedOf(options);
  if (!asked.ok) return refuse(asked.error, exitCodes.usage);
  const { tenant, period } = asked.value;
  const found = await seriesOf(paths, tenant, period, options);
  if (!found.ok) return refuse(found.error, exitCodes.failed);
  const { output } = options;
  const text = usageChart(found.value, period);
  return writeOut(text, output === undefined ? {} : { output, force: true });
}

function refuse(problem: Problem, code: ExitCode): ExitCode {
  printError(printable(formatProblem(problem)));
  return code;
}

function askedOf(options: ChartOptions): Result<{ tenant: string; period: Period }, Problem> {
  const { format, style, server, user, id } = options;
  if (format !== 'svg') {
    const reason = 'charts are SVG';
    return failed({ action: 'use the format', object: format, reason, hint: 'use --format=svg' });
  }
  if (style !== undefined && style !== 'admin' && style !== 'user')
    return failed({
      action: 'use the style',
      object: style,
      reason: 'it is neither admin nor user',
    });
  if (server !== undefined && server !== 'localhost') {
    const reason = 'each server has its own statistics; "localhost" is this one';
    return failed({ action: 'show the server', object: server, reason });
  }
  const tenant = user ?? id;
  if (tenant === undefined)
    return failed({
      action: 'draw a chart',
      reason: 'no tenant is named',
      hint: 'add --user or --id',
    });
  const period = parseLvePeriod(options, Date.now());
  return period.ok ? ok({ tenant, period: period.value }) : period;
}

async function seriesOf(
  paths: Paths,
  tenant: string,
  { from, to }: Period,
  { showAll, style }: ChartOptions,
): Promise<Result<readonly ChartSeries[], Problem>> {
  const ask = agentRequest(paths);
  const query = { from, to, tenant, count: 1000 };
  const hits = await ask<IncidentsResponse>('/v1/incidents', query);
  if (!hits.ok) return hits;
  const draw = async (chart: Chart): Promise<Result<ChartSeries, Problem>> => {
    const asked = { from, to, tenant, metric: chart.metric, points };
    const series = await ask<SeriesResponse>('/v1/series', asked);
    if (!series.ok) return series;
    const { limit } = series.value;
    const faults = hits.value.incidents
      .filter((each) => chart.limits.includes(each.limit))
      .map(({ begin }) => begin);
    const { title, metric, format } = chart;
    const drawn = { title, points: series.value.points, limit, faults, format };
    return ok(style === 'user' && metric === 'cpu' ? inShares(drawn) : drawn);
  };
  const shown: ChartSeries[] = [];
  for (const chart of charts) {
    const drawn = await drawnFor(chart, draw);
    if (!drawn.ok) return drawn;
    shown.push(...drawn.value.filter(({ limit }) => limit !== undefined || showAll === true));
  }
  return ok(shown);
}

/** Returns the chart, or the charts of its directions if only these have limits. */
async function drawnFor(
  chart: Chart,
  draw: (chart: Chart) => Promise<Result<ChartSeries, Problem>>,
): Promise<Result<readonly ChartSeries[], Problem>> {
  const whole = await draw(chart);
  if (!whole.ok) return whole;
  if (whole.value.limit !== undefined) return ok([whole.value]);
  const limited: ChartSeries[] = [];
  for (const each of chart.directions ?? []) {
    const drawn = await draw(each);
    if (!drawn.ok) return drawn;
    if (drawn.value.limit !== undefined) limited.push(drawn.value);
  }
  return ok(limited.length > 0 ? limited : [whole.value]);
}

/** Shows the values as shares of the limit: a customer's CPU is 100 % whatever the limit is. */
function inShares(series: ChartSeries): ChartSeries {
  const { limit, points: values } = series;
  if (limit === undefined) return series;
  return {
    ...series,
    limit: 1,
    points: values.map((each) => (each === null ? null : each / limit)),
  };
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--from <moment>', 'start, such as "2026-01-31 18:30" (default: ten minutes ago)')
      .option('--to <moment>', 'end (default: now)')
      .option('--period <length>', 'until now: 5m, 4h, 2d, today; or yesterday')
      .option('--user <name>', 'the tenant, by account')
      .option('--id <uid>', 'the tenant, by uid')
      .option('--output <file>', 'write it to this file')
      .option('--show-all', 'charts of resources without a limit, too')
      .option('--style <who>', 'user: CPU as a share of the limit; admin: of one core')
      .option('--format <format>', 'only svg', 'svg')
      .option('--server <id>', 'only localhost: each server has its own statistics')
      .addHelpText(
        'after',
        examples(
          ['bulkhead lvechart --user alice --period 1d --output alice.svg', ''],
          ['bulkhead lvechart --id 1001 --period today --show-all', ''],
        ),
      )
      .action(run(chart));
  },
};
