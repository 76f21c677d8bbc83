/** `bulkhead ps TENANT`: the processes of a tenant, the heaviest users first. */
import { Option, type Command } from 'commander';
import type { Problem } from '../../../../packages/base/problem.ts';
import type { ProcessesResponse } from '../../../agent/api/api.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../../shared/command.ts';
import {
  ownUid,
  responseOrReport,
  processesPath,
  usageError,
  withAgent,
  type JsonOption,
} from '../../shared/agent-request.ts';
import {
  processSorts,
  processTable,
  sortProcesses,
  type ProcessSort,
} from '../../shared/process-table.ts';
import { print, printJson } from '../../shared/session.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { terminalOf } from '../../shared/terminal.ts';
import type { PsJson } from '../json.ts';

interface PsOptions extends JsonOption {
  readonly sort: ProcessSort;
}

function ps(name: string | undefined, options: PsOptions, command: Command): Promise<ExitCode> {
  return withAgent(command, async (ask) => {
    const tenant = name ?? ownUid();
    if (tenant === undefined) return usageError(noTenant);
    const answer = responseOrReport(await ask<ProcessesResponse>(processesPath(tenant)));
    if (answer === undefined) return exitCodes.failed;
    const processes = sortProcesses(answer.processes, options.sort);
    if (options.json === true) printJson({ ...answer, processes } satisfies PsJson);
    else print(processesText({ ...answer, processes }));
    return exitCodes.done;
  });
}

const noTenant: Problem = {
  action: 'list processes',
  reason: 'root is not a tenant',
  hint: 'name a tenant, for example: bulkhead ps alice',
};

function processesText({ who, processes, processCount }: ProcessesResponse): string {
  const { isTerminal, columns } = terminalOf(process.stdout);
  if (processes.length === 0) return `${printable(who.name)} has no processes`;
  const more = processCount - processes.length;
  const rest = more > 0 ? `\n… and ${more} more, which use less` : '';
  return processTable(processes, isTerminal ? columns : undefined) + rest;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(
        new Option('--sort <column>', 'column to sort by: largest first, pids ascending')
          .choices(processSorts)
          .default('cpu'),
      )
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(['bulkhead ps alice', ''], ['bulkhead ps 1001 --sort memory', 'by uid']),
      )
      .action(run(ps));
  },
};
