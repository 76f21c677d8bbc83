/** `bulkhead usage`: the usage of tenants over a period, next to their limits. */
import { Option, type Command } from 'commander';
import type { SeriesResponse, UsageResponse, UsageRow } from '../../../agent/api/usage-api.ts';
import { metricWords } from '../../../usage/chart/metric-words.ts';
import { metrics, sampledKeys, type MetricKey } from '../../../usage/metrics.ts';
import { isDatabaseKey, isPartKey } from '../../../usage/part-keys.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../../shared/command.ts';
import {
  responseOrReport,
  usageError,
  withAgent,
  type AgentRequest,
  type JsonOption,
} from '../../shared/agent-request.ts';
import {
  countsText,
  dateTime,
  duration,
  formatMailCount,
  formatSentByWeb,
  shortCount,
  sumOfCounts,
} from '../../shared/format.ts';
import { showsUnicode, sparkline } from '../../shared/graph.ts';
import {
  parsePeriod,
  withPeriodOptions,
  type Period,
  type PeriodOptions,
} from '../../shared/period.ts';
import { askMoved, exitOf, movedJson, movedUsage } from './moved.ts';
import { usageCsv } from './usage-csv.ts';
import { metricCells, metricsOf, sortUsage, usageSorts, type UsageSort } from './usage-rows.ts';
import { rowsOption } from '../../shared/whole.ts';
import { count, print, printJson } from '../../shared/session.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { table, terminalOf, wrap } from '../../shared/terminal.ts';
import type { UsageJson } from '../json.ts';

interface UsageOptions extends PeriodOptions, JsonOption {
  readonly by: UsageSort;
  readonly count: number;
  readonly csv?: boolean;
  readonly spark?: boolean;
  readonly sites?: boolean;
}

const sparkPoints = 30;
/** Requests in progress at one time. */
const questionsMax = 8;

function usage(names: string[], options: UsageOptions, command: Command): Promise<ExitCode> {
  return withAgent(command, async (ask) => {
    const period = parsePeriod(options, Date.now());
    if (!period.ok) return usageError(period.error);
    const alone = names.length === 1 || process.getuid?.() !== 0;
    const all = alone || options.json === true || options.csv === true;
    const metric = all ? [] : options.by === 'faults' ? ['cpu'] : metricsOf[options.by];
    const query = { ...period.value, tenant: names, metric };
    const answer = responseOrReport(await ask<UsageResponse>('/v1/usage', query));
    if (answer === undefined) return exitCodes.failed;
    const asked = answer.rows.filter((row) => isAsked(row, names, options));
    const sorted = { ...answer, rows: sortUsage(asked, options.by) };
    if (options.csv === true) {
      process.stdout.write(usageCsv(sorted));
      return exitCodes.done;
    }
    const moved = await askMoved(ask, names, { ...period.value, metric });
    if (options.json === true) {
      printJson({ ...sorted, ...movedJson(moved) } satisfies UsageJson);
      return exitOf(moved);
    }
    await printUsage(sorted, names, options, ask);
    for (const each of moved ?? []) print(`\n${movedUsage(each)}`);
    return exitOf(moved);
  });
}

/**
 * Whether a row is shown. Root's list has sites only on request, since their tenants include them.
 */
function isAsked({ kind }: UsageRow, names: readonly string[], options: UsageOptions): boolean {
  if (options.sites === true) return kind === 'site';
  const isList = names.length === 0 && process.getuid?.() === 0;
  return kind !== 'site' || !isList || options.json === true || options.csv === true;
}

async function printUsage(
  answer: UsageResponse,
  names: readonly string[],
  options: UsageOptions,
  ask: AgentRequest,
): Promise<void> {
  const [first] = answer.rows;
  if (first === undefined) {
    print(`Nothing was measured from ${dateTime(answer.from)} to ${dateTime(answer.to)}`);
    return;
  }
  print(`${periodText(answer)}\n\n`);
  const alone = answer.rows.length === 1 && (names.length === 1 || process.getuid?.() !== 0);
  const rows = alone
    ? await metricTable(first, answer, ask)
    : await tenantTable(answer, options, ask);
  const { colors } = terminalOf(process.stdout);
  const [header = [], ...cells] = rows;
  print(table([header.map(colors.dim), ...cells], numbersOf(header)));
  if (alone)
    print(['', ...mailLines(first), ...sentByWebLines(first), faultsLine(first)].join('\n'));
  const more = alone ? 0 : answer.rows.length - options.count;
  if (more > 0) print(`… and ${more} more; -n shows them`);
  const keys = alone ? sampledKeys : metricsOf[options.by];
  const shown = answer.rows.slice(0, alone ? 1 : options.count);
  for (const text of notesOf(shown, keys))
    print(`\n${wrap(text, terminalOf(process.stdout).columns)}`);
}

/** Returns what the table does not say about the limits. */
function notesOf(rows: readonly UsageRow[], keys: readonly MetricKey[]): readonly string[] {
  const above = keys.filter((key) => rows.some((row) => isAbove(row, key)));
  return [
    ...(keys.includes('cpu') ? rows.flatMap(loweredText) : []),
    ...(above.some((key) => !isPartKey(key)) ? [aboveText] : []),
    ...(above.some(isDatabaseKey) ? [databaseAboveText] : []),
  ];
}

const wordColumns = ['TENANT', 'METRIC', 'WHICH', 'TREND'];
const numbersOf = (header: readonly string[]) =>
  header.flatMap((title, column) => (wordColumns.includes(title) ? [] : [column]));

function periodText({ from, to, measuredSeconds, detail }: UsageResponse): string {
  const whole = (to - from) / 1000;
  const part =
    measuredSeconds < whole * 0.95 ? `, ${duration(measuredSeconds)} of it measured` : '';
  const exact = detail === 'ticks' ? '' : '; quantiles within 7 %';
  return `${dateTime(from)} to ${dateTime(to)}, ${duration(whole)}${part}${exact}`;
}

const whoText = ({ name, kind }: UsageRow) =>
  printable(kind === 'reseller' ? `${name} (all)` : name);

/** Returns all metrics of one tenant, one per line. */
async function metricTable(row: UsageRow, period: Period, ask: AgentRequest): Promise<string[][]> {
  const keys = sampledKeys.filter((key) => row.metrics[key] !== undefined);
  const trends = await eachOf(keys, (key) => trendOf(ask, row, key, period));
  const lines = keys.map((key, index) => [
    metricWords[key].title,
    ...metricCells(row, key),
    trends[index] ?? '',
  ]);
  return [['METRIC', 'AVERAGE', 'P95', 'MAX', 'LIMIT', 'OF LIMIT', 'TREND'], ...lines];
}

/** Whether the maximum is above the current limit, by more than rounding. */
function isAbove({ metrics: measured, limits }: UsageRow, key: MetricKey): boolean {
  const { limit: limitKey } = metrics[key];
  const limit = limitKey === undefined ? undefined : limits[limitKey];
  return limit !== undefined && (measured[key]?.max ?? 0) > 1.005 * limit;
}

/** Says that the limit of now is another one than in the table. */
const loweredText = (row: UsageRow): readonly string[] =>
  row.cpuLimitNow === undefined
    ? []
    : [
        `${whoText(row)}: the CPU limit is ${wholePercent(row.cpuLimitNow)} now, since database servers use the rest.`,
      ];

const wholePercent = (cores: number) => `${Math.round(cores * 100)}%`;

const aboveText =
  'A maximum above the limit is from before the limit was lowered; or the kernel, which grants CPU time for each tenth of a second, granted one more than the tick is long; or processes were started before they were moved into the cgroup.';
const databaseAboveText =
  'Limits on database servers are enforced after the fact: a tenant that used more than its share is paused until it is within its share again, unless limits are only watched.';

function faultsLine(row: UsageRow): string {
  const sum = sumOfCounts(row.faults);
  if (sum === 0) return `${whoText(row)}: no faults`;
  return `${whoText(row)}: ${count(sum, 'fault')}: ${printable(countsText(row.faults))}`;
}

/** Describes the member's mail, whatever the period is. */
function mailLines(row: UsageRow): readonly string[] {
  const { mail } = row;
  if (mail === undefined) return [];
  if (mail === 'unknown')
    return [`${whoText(row)}: mail is unknown: only jails count it, or the count cannot be read`];
  return [`${whoText(row)}: ${formatMailCount(mail)}`];
}

/** Describes what web servers sent for the member's sites, whatever the period is. */
function sentByWebLines(row: UsageRow): readonly string[] {
  const { sentByWeb } = row;
  if (sentByWeb === undefined) return [];
  if (sentByWeb === 'unknown')
    return [
      `${whoText(row)}: what web servers sent is unknown: no access log of its sites shows it`,
    ];
  return [`${whoText(row)}: ${printable(formatSentByWeb(sentByWeb))}`];
}

async function tenantTable(
  answer: UsageResponse,
  { by, count: max, spark }: UsageOptions,
  ask: AgentRequest,
): Promise<string[][]> {
  const rows = answer.rows.slice(0, max);
  const keys = metricsOf[by];
  const [trend] = spark === true ? (by === 'faults' ? ['cpu' as const] : keys) : [];
  const trends =
    trend === undefined ? [] : await eachOf(rows, (row) => trendOf(ask, row, trend, answer));
  const lines = rows.map((row, index) => [
    whoText(row),
    ...keys.flatMap((key) => metricCells(row, key)),
    shortCount(sumOfCounts(row.faults)),
    ...(by === 'faults' ? [printable(countsText(row.faults))] : []),
    ...(trend === undefined ? [] : [trends[index] ?? '']),
  ]);
  return [tenantHeader(by, trend), ...lines];
}

/** Returns the column titles; with more than one metric, they name it. */
function tenantHeader(by: UsageSort, trend: MetricKey | undefined): string[] {
  const keys = metricsOf[by];
  const titles = keys.flatMap((key) => {
    const name = keys.length > 1 ? `${metricWords[key].title.toUpperCase()} ` : '';
    return [`${name}AVERAGE`, 'P95', 'MAX', 'LIMIT', 'OF LIMIT'];
  });
  const which = by === 'faults' ? ['WHICH'] : [];
  return ['TENANT', ...titles, 'FAULTS', ...which, ...(trend === undefined ? [] : ['TREND'])];
}

/** Returns the graph; blank if the agent has no series: the table is useful without it. */
async function trendOf(ask: AgentRequest, row: UsageRow, metric: MetricKey, { from, to }: Period) {
  const tenant = row.member;
  const series = await ask<SeriesResponse>('/v1/series', {
    from,
    to,
    tenant,
    metric,
    points: sparkPoints,
  });
  return series.ok ? sparkline(series.value.points, series.value.limit, showsUnicode()) : '';
}

/** Returns results in order, with a few requests in progress at a time. */
async function eachOf<Item, CommandResult>(
  items: readonly Item[],
  action: (item: Item) => Promise<CommandResult>,
): Promise<readonly CommandResult[]> {
  const answers: CommandResult[] = [];
  for (let at = 0; at < items.length; at += questionsMax) {
    answers.push(...(await Promise.all(items.slice(at, at + questionsMax).map(action))));
  }
  return answers;
}

export const command: CommandModule = {
  define(command, run) {
    withPeriodOptions(command, '1h')
      .addOption(
        new Option('--by <resource>', 'resource to show and sort by')
          .choices(usageSorts)
          .default('cpu'),
      )
      .addOption(rowsOption(20))
      .option('--sites', 'show the sites of tenants instead')
      .option('--spark', 'add a sparkline')
      .addOption(new Option('--csv', 'print every metric as CSV').conflicts('json'))
      .option('--json', 'print every metric as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead usage', 'CPU in the last hour'],
          ['bulkhead usage --by io --period yesterday', ''],
          ['bulkhead usage --by database', 'CPU and connections of database servers'],
          ['bulkhead usage --by network', 'what each tenant sends and receives'],
          ['bulkhead usage alice --period 7d', 'every metric of one tenant'],
          ['bulkhead usage alice/shop.example', 'every metric of one of her sites'],
          ["bulkhead usage --from 2026-11-01 --to '2026-11-01 12:00' --csv", ''],
        ),
      )
      .action(run(usage));
  },
};
