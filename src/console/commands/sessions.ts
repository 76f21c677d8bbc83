/** `bulkhead console sessions`: lists the sessions that the caller may see. */
import type { Command } from 'commander';
import type {
  ConsoleSessionResponse,
  ConsoleSessionsResponse,
} from '../../agent/api/console-api.ts';
import { responseOrReport, withAgent, type JsonOption } from '../../cli/shared/agent-request.ts';
import { exitCodes, type CommandModule, type ExitCode } from '../../cli/shared/command.ts';
import { print, printJson } from '../../cli/shared/output.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { ConsoleSessionsJson } from './json.ts';

const sessions = ({ json }: JsonOption, command: Command): Promise<ExitCode> =>
  withAgent(command, async (ask) => {
    const response = responseOrReport(await ask<ConsoleSessionsResponse>('/v1/console/sessions'));
    if (response === undefined) return exitCodes.failed;
    if (json === true) printJson(response satisfies ConsoleSessionsJson);
    else if (response.sessions.length === 0) print('No sessions');
    else print(response.sessions.map(lineOf).join('\n'));
    return exitCodes.done;
  });

/** Returns a line: `9f3a…  alice, by root, read-only, since …, ends in 25 min without a request`. */
function lineOf({ id, user, by, readOnly, startedAt, idleSecondsLeft }: ConsoleSessionResponse) {
  const facts = [
    printable(user),
    ...(by === user ? [] : [`by ${printable(by)}`]),
    ...(readOnly ? ['read-only'] : []),
    `since ${new Date(startedAt).toISOString()}`,
    `ends in ${Math.ceil(idleSecondsLeft / 60)} min without a request`,
  ];
  return `${id}  ${facts.join(', ')}`;
}

export const command: CommandModule = {
  define(command, run) {
    command.option('--json', 'print as JSON').action(run(sessions));
  },
};
