/** `bulkhead console status`: whether the console can be reached. It connects to nothing, which would start the front. */
import type { Command } from 'commander';
import type { ConsoleSessionsResponse } from '../../agent/api/console-api.ts';
import { withAgent, type JsonOption } from '../../cli/shared/agent-request.ts';
import { exitCodes, type CommandModule, type ExitCode } from '../../cli/shared/command.ts';
import { count, print, printJson } from '../../cli/shared/output.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { consoleSocketOf } from '../../host/paths.ts';
import { isListening, notListening } from '../io/listening.ts';
import type { ConsoleStatusJson } from './json.ts';

const status = ({ json }: JsonOption, command: Command): Promise<ExitCode> =>
  withAgent(command, async (ask, paths) => {
    const response = await ask<ConsoleSessionsResponse>('/v1/console/sessions');
    const found: ConsoleStatusJson = {
      socket: consoleSocketOf(paths),
      listening: isListening(paths),
      sessions: response.ok ? response.value.sessions.length : null,
      problem: response.ok ? null : formatProblem(response.error),
    };
    if (json === true) printJson(found);
    else print(textOf(found));
    return response.ok ? exitCodes.done : exitCodes.failed;
  });

const textOf = ({ socket, listening, sessions, problem }: ConsoleStatusJson): string =>
  [
    listening ? `Browsers can be led to ${socket}` : notListening(socket),
    sessions === null ? `Sessions: unknown: ${problem}` : count(sessions, 'session'),
  ].join('\n');

export const command: CommandModule = {
  define(command, run) {
    command.option('--json', 'print as JSON').action(run(status));
  },
};
