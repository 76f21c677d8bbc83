/**
 * `bulkhead dbtop`: who uses database servers now, in the columns of MySQL Governor's command:
 *
 *     USER   CPU  READ  WRITE  CON  CAUSE
 *     alice   42     -      -    3  1/c:cpu
 *
 * CPU is percent of one core. What servers read and write for a tenant is not measured. CAUSE is `-`, or why a tenant is
 * held: it has reached its limit on CPU.
 */
import type { Command } from 'commander';
import { printable } from '../../../../packages/base/printable.ts';
import type { TopResponse, TopRow } from '../../../agent/api/api.ts';
import {
  agentRequest,
  responseOrReport,
  type JsonOption,
} from '../../../cli/shared/agent-request.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { pathsFor, print } from '../../../cli/shared/session.ts';
import { table } from '../../../cli/shared/terminal.ts';

async function dbtop(options: JsonOption, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const ask = agentRequest(paths, options);
  const answer = responseOrReport(await ask<TopResponse>('/v1/top', { all: true }));
  if (answer === undefined) return exitCodes.failed;
  print(databaseTable(answer.rows));
  return exitCodes.done;
}

/** Returns the tenants with a connection, or that a server works for; the busiest first. */
export function databaseTable(rows: readonly TopRow[]): string {
  const known = rows.filter(
    ({ kind, usage }) =>
      kind === 'tenant' && (usage.databaseCpu ?? usage.databaseConnections) !== undefined,
  );
  if (known.length === 0)
    return 'The use of database servers is not known; "bulkhead db status" shows why';
  const users = known
    .filter(({ usage }) => (usage.databaseCpu ?? 0) + (usage.databaseConnections ?? 0) > 0)
    .toSorted((a, b) => (b.usage.databaseCpu ?? 0) - (a.usage.databaseCpu ?? 0) || a.uid - b.uid);
  const header = ['USER', 'CPU', 'READ', 'WRITE', 'CON', 'CAUSE'];
  return table([header, ...users.map(cellsOf)], [1, 2, 3, 4]);
}

function cellsOf(row: TopRow): string[] {
  const { databaseCpu: cpu, databaseConnections: connections } = row.usage;
  const isHeld = row.limitsHit.includes('database.cpu') || (row.usage.databasePaused ?? 0) > 0;
  return [
    printable(row.name),
    cpu === undefined ? '-' : String(Math.round(cpu * 100)),
    '-',
    '-',
    connections === undefined ? '-' : String(Math.round(connections)),
    isHeld ? '1/c:cpu' : '-',
  ];
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('-c', 'accepted: this prints the list once')
      .option('-r <seconds>', 'accepted and ignored: "bulkhead top" shows the same live')
      .addHelpText('after', examples(['bulkhead dbtop -c', '']))
      .action(run(dbtop));
  },
};
