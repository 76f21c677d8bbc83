/** `bulkhead faults`: the incidents of a period. */
import { Option, type Command } from 'commander';
import type { IncidentRow, IncidentsResponse } from '../../../agent/api/api.ts';
import type { MovedIncidentRow, MovedOrigin } from '../../../agent/history/history-api.ts';
import { severities, type LimitKey, type Severity } from '../../../limits/limit.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../../shared/command.ts';
import {
  ownUid,
  responseOrReport,
  usageError,
  withAgent,
  type JsonOption,
} from '../../shared/agent-request.ts';
import { csvText } from '../../../../packages/base/csv.ts';
import { dateTime, duration, isoTime, shortCount, shortLimit } from '../../shared/format.ts';
import {
  parsePeriod,
  withPeriodOptions,
  type Period,
  type PeriodOptions,
} from '../../shared/period.ts';
import { limitOption } from '../../shared/limit-option.ts';
import { rowsOption } from '../../shared/whole.ts';
import { print, printJson } from '../../shared/session.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { table, terminalOf } from '../../shared/terminal.ts';
import { askMoved, exitOf, movedHeading, movedJson } from './moved.ts';
import type { FaultsJson } from '../json.ts';

interface FaultsOptions extends PeriodOptions, JsonOption {
  readonly limit?: LimitKey;
  readonly severity?: Severity;
  readonly count: number;
  readonly csv?: boolean;
}

function faults(names: string[], options: FaultsOptions, command: Command): Promise<ExitCode> {
  return withAgent(command, async (ask) => {
    const period = parsePeriod(options, Date.now());
    if (!period.ok) return usageError(period.error);
    const { limit, severity, count } = options;
    const query = { ...period.value, tenant: names, limit, severity, count };
    const answer = responseOrReport(await ask<IncidentsResponse>('/v1/incidents', query));
    if (answer === undefined) return exitCodes.failed;
    if (options.csv === true) {
      process.stdout.write(incidentsCsv(answer.incidents));
      return exitCodes.done;
    }
    const found = await askMoved(ask, names, { ...period.value, metric: 'cpu', count: movedMax });
    const moved = found?.map((each) => movedThatMatch(each, options));
    if (options.json === true) {
      printJson({ ...answer, ...movedJson(moved) } satisfies FaultsJson);
      return exitOf(moved);
    }
    print(incidentsText(answer, period.value));
    for (const each of moved ?? []) print(`\n${movedText(each, names)}`);
    return exitOf(moved);
  });
}

/** The most that the agent answers. */
const movedMax = 1000;

function movedThatMatch(
  origin: MovedOrigin,
  { limit, severity, count }: FaultsOptions,
): MovedOrigin {
  const lowest = severity === undefined ? 0 : severities.indexOf(severity);
  const matching = origin.incidents.filter(
    (each) =>
      (limit === undefined || each.limit === limit) && severities.indexOf(each.severity) >= lowest,
  );
  const isAll = limit === undefined && severity === undefined;
  const total = isAll ? origin.total : matching.length;
  return { ...origin, incidents: matching.slice(0, count), total };
}

function movedText(origin: MovedOrigin, [tenant = ownUid() ?? '']: readonly string[]): string {
  const { host, incidents, total } = origin;
  const heading = movedHeading(origin);
  if (incidents.length === 0) return `${heading}: no limit was hit in this period`;
  const { colors } = terminalOf(process.stdout);
  const header = ['ID', 'WHEN', 'LASTED', 'LIMIT', 'SEVERITY', 'FAULTS', 'VALUE'];
  const cells = incidents.map((each) => [String(each.id), ...timeCells(each), ...limitCells(each)]);
  const more = total - incidents.length;
  return [
    `${heading}: "bulkhead incident ID --of ${printable(`${tenant}@${host}`)}" shows one`,
    table([header.map(colors.dim), ...cells], [0, 2, 5]),
    ...(more > 0 ? [`… and ${more} more; -n shows them`] : []),
  ].join('\n');
}

function incidentsText({ incidents, total }: IncidentsResponse, { from, to }: Period): string {
  if (incidents.length === 0) return `No limit was hit from ${dateTime(from)} to ${dateTime(to)}`;
  const { colors } = terminalOf(process.stdout);
  const header = ['ID', 'WHEN', 'LASTED', 'WHO', 'LIMIT', 'SEVERITY', 'FAULTS', 'VALUE'];
  const lines = table([header.map(colors.dim), ...incidents.map(incidentCells)], [0, 2, 6]);
  const more = total - incidents.length;
  return more > 0 ? `${lines}\n… and ${more} more; -n shows them` : lines;
}

function incidentCells(incident: IncidentRow): readonly string[] {
  const { id, who } = incident;
  const name = printable(who.kind === 'reseller' ? `${who.name} (all)` : who.name);
  return [String(id), ...timeCells(incident), name, ...limitCells(incident)];
}

const timeCells = ({ begin, end }: MovedIncidentRow): readonly string[] => [
  dateTime(begin),
  duration((end - begin) / 1000),
];

const limitCells = ({ limit, severity, inferred, faults, value }: MovedIncidentRow) => [
  printable(shortLimit(limit)),
  severityText(severity),
  `${inferred ? '~' : ''}${shortCount(faults)}`,
  printable(value),
];

function severityText(severity: Severity): string {
  const { colors } = terminalOf(process.stdout);
  const paint = {
    observed: colors.dim,
    throttled: String,
    refused: colors.yellow,
    killed: colors.red,
  };
  return paint[severity](severity);
}

const csvHeader = [
  'id',
  'begin',
  'end',
  'name',
  'uid',
  'kind',
  'reseller',
  'package',
  'limit',
  'severity',
  'inferred',
  'faults',
  'value',
  'from',
];

const incidentsCsv = (incidents: readonly IncidentRow[]) =>
  csvText([
    csvHeader,
    ...incidents.map((each) => [
      each.id,
      isoTime(each.begin),
      isoTime(each.end),
      each.who.name,
      each.who.uid,
      each.who.kind,
      each.who.reseller,
      each.who.package,
      each.limit,
      each.severity,
      String(each.inferred),
      each.faults,
      each.value,
      each.from,
    ]),
  ]);

export const command: CommandModule = {
  define(command, run) {
    withPeriodOptions(command, '24h')
      .addOption(limitOption(command))
      .addOption(
        new Option('--severity <severity>', 'only incidents of this severity').choices(severities),
      )
      .addOption(rowsOption(50))
      .addOption(new Option('--csv', 'print as CSV').conflicts('json'))
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead faults', 'in the last 24 hours'],
          ['bulkhead faults alice --limit memory', ''],
          [
            'bulkhead faults --severity killed --period 7d',
            'incidents in which processes were killed',
          ],
        ),
      )
      .action(run(faults));
  },
};
