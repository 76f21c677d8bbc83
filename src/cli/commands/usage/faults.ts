/** `bulkhead faults`: the incidents of a period. */
import { Option, type Command } from 'commander';
import type { IncidentRow, IncidentsResponse } from '../../../agent/api/api.ts';
import { severities, type LimitKey, type Severity } from '../../../limits/limit.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../../shared/command.ts';
import {
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
    if (options.json === true) printJson(answer satisfies FaultsJson);
    else if (options.csv === true) process.stdout.write(incidentsCsv(answer.incidents));
    else print(incidentsText(answer, period.value));
    return exitCodes.done;
  });
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
  const { id, begin, end, who, limit, severity, inferred, faults, value } = incident;
  return [
    String(id),
    dateTime(begin),
    duration((end - begin) / 1000),
    printable(who.kind === 'reseller' ? `${who.name} (all)` : who.name),
    printable(shortLimit(limit)),
    severityText(severity),
    `${inferred ? '~' : ''}${shortCount(faults)}`,
    printable(value),
  ];
}

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
