/** `bulkhead db explain TENANT`: how far it was over its share, for how long it was paused, and by which statements. */
import type { Command } from 'commander';
import type { IncidentResponse, IncidentsResponse } from '../../agent/api/api.ts';
import {
  responseOrReport,
  usageError,
  withAgent,
  type JsonOption,
} from '../../cli/shared/agent-request.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { dateTime } from '../../cli/shared/format.ts';
import { print, printJson } from '../../cli/shared/output.ts';
import { parsePeriod, withPeriodOptions, type PeriodOptions } from '../../cli/shared/period.ts';
import { table, terminalOf, wrap } from '../../cli/shared/terminal.ts';
import { printable } from '../../../packages/base/printable.ts';
import { databaseCpuEvidence, type DatabaseCpuEvidence } from '../core/cpu-incidents.ts';
import { statementTotals } from '../core/explain.ts';
import type { DbExplainJson } from './json.ts';

interface ExplainOptions extends PeriodOptions, JsonOption {}

const incidentsMax = 20;
const statementsMax = 10;

function explain(name: string, options: ExplainOptions, command: Command): Promise<ExitCode> {
  return withAgent(command, async (ask) => {
    const period = parsePeriod(options, Date.now());
    if (!period.ok) return usageError(period.error);
    const query = { ...period.value, tenant: name, limit: 'database.cpu', count: incidentsMax };
    const found = responseOrReport(await ask<IncidentsResponse>('/v1/incidents', query));
    if (found === undefined) return exitCodes.failed;
    const items: DatabaseCpuEvidence[] = [];
    for (const { id } of found.incidents) {
      const incident = responseOrReport(await ask<IncidentResponse>(`/v1/incidents/${id}`));
      if (incident === undefined) return exitCodes.failed;
      items.push(...itemsOf(incident));
    }
    const result: DbExplainJson = {
      name,
      ...period.value,
      incidents: found.total,
      ...sumsOf(items),
    };
    if (options.json === true) printJson(result);
    else print(textOf(result, items));
    return exitCodes.done;
  });
}

const itemsOf = ({ evidence }: IncidentResponse): readonly DatabaseCpuEvidence[] =>
  evidence.flatMap(({ evidence: own }) =>
    own?.kind === databaseCpuEvidence.kind ? (own.items as readonly DatabaseCpuEvidence[]) : [],
  );

function sumsOf(items: readonly DatabaseCpuEvidence[]) {
  const sum = (field: 'seconds' | 'usedSeconds' | 'pausedSeconds') =>
    items.reduce((all, each) => all + each[field], 0);
  return {
    seconds: sum('seconds'),
    usedSeconds: sum('usedSeconds'),
    limit: items[0]?.limit ?? null,
    pausedSeconds: sum('pausedSeconds'),
    statements: statementTotals(items, statementsMax),
  };
}

function textOf(result: DbExplainJson, items: readonly DatabaseCpuEvidence[]): string {
  const { name, from, to, statements, incidents } = result;
  const period = `from ${dateTime(from)} to ${dateTime(to)}`;
  if (incidents === 0)
    return `${printable(name)} was never over its share of database CPU ${period}`;
  const { isTerminal, columns, colors } = terminalOf(process.stdout);
  const width = isTerminal ? columns : 100;
  const described =
    items.length === 0
      ? 'Nothing is known about them.'
      : databaseCpuEvidence.describe(items, false);
  const rows = statements.map((each) => [
    `${each.seconds.toFixed(1)} s`,
    String(each.seen),
    printable(each.statement),
  ]);
  const head = ['CPU', 'SEEN', 'STATEMENT'].map(colors.dim);
  return [
    wrap(`${printable(name)}, ${period}, incidents: ${incidents}. ${described}`, width),
    ...(rows.length === 0 ? [] : [table([head, ...rows], [0, 1])]),
  ].join('\n\n');
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'an account name or a uid');
    withPeriodOptions(command, '24h')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead db explain alice', 'the last 24 hours'],
          ['bulkhead db explain alice --json', 'the same as JSON'],
        ),
      )
      .action(run(explain));
  },
};
