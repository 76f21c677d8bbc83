/** `bulkhead console end`: ends sessions. Their pages get no data any more. */
import type { Command } from 'commander';
import type { ConsoleEndResponse } from '../../agent/api/console-api.ts';
import {
  responseOrReport,
  usageError,
  withAgent,
  type JsonOption,
} from '../../cli/shared/agent-request.ts';
import {
  describeArgument,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { count, print, printJson } from '../../cli/shared/output.ts';
import type { ConsoleEndJson } from './json.ts';

interface EndOptions extends JsonOption {
  readonly all?: boolean;
}

async function end(
  id: string | undefined,
  { all, json }: EndOptions,
  command: Command,
): Promise<ExitCode> {
  if ((id === undefined) === (all !== true)) {
    const reason = 'it needs either the id of a session or --all';
    return usageError({ action: 'end sessions', reason, hint: 'see "bulkhead console sessions"' });
  }
  return withAgent(command, async (ask) => {
    const query = id === undefined ? { all: true } : { id };
    const ended = await ask<ConsoleEndResponse>('/v1/console/end', query, 'POST');
    const response = responseOrReport(ended);
    if (response === undefined) return exitCodes.failed;
    if (json === true) printJson(response satisfies ConsoleEndJson);
    else print(`Ended ${count(response.ended, 'session')}`);
    return exitCodes.done;
  });
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the id that "sessions" shows');
    command
      .option('--all', 'end all sessions that you may see')
      .option('--json', 'print as JSON')
      .action(run(end));
  },
};
