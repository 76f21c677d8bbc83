/** `bulkhead console login`: asks the agent for a login code. The kernel tells the agent who asks. */
import { hostname } from 'node:os';
import type { Command } from 'commander';
import type { ConsoleCodeResponse } from '../../agent/api/console-api.ts';
import { responseOrReport, withAgent, type JsonOption } from '../../cli/shared/agent-request.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { print, printJson } from '../../cli/shared/output.ts';
import { printable } from '../../../packages/base/printable.ts';
import { consoleSocketOf } from '../../host/paths.ts';
import type { ConsoleLoginJson } from './json.ts';

interface LoginOptions extends JsonOption {
  readonly as?: string;
  readonly embed?: boolean;
}

const tunnelPort = 8642;

const login = ({ as, embed, json }: LoginOptions, command: Command): Promise<ExitCode> =>
  withAgent(command, async (ask, paths) => {
    const query = { ...(as !== undefined && { as }), ...(embed === true && { embed }) };
    const made = await ask<ConsoleCodeResponse>('/v1/console/codes', query, 'POST');
    const response = responseOrReport(made);
    if (response === undefined) return exitCodes.failed;
    const socket = consoleSocketOf(paths);
    const login: ConsoleLoginJson = { ...response, path: `/#code=${response.code}`, socket };
    if (json === true) printJson(login);
    else print(textOf(login));
    return exitCodes.done;
  });

function textOf({ path, user, readOnly, socket, expiresInSeconds }: ConsoleLoginJson): string {
  const what = readOnly ? ', read-only' : '';
  return [
    `Login as ${printable(user)}${what}, once, within ${expiresInSeconds / 60} minutes:`,
    '',
    `  http://localhost:${tunnelPort}${path}`,
    '',
    'This address works on a computer that has a tunnel to this host:',
    '',
    `  ssh -N -L ${tunnelPort}:${socket} ${printable(hostname())}`,
    '',
    `If a web server here passes requests on to ${socket}, put its address before "${path.slice(0, 7)}…".`,
  ].join('\n');
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--as <user>', 'log in as this tenant or reseller: as root, or as its reseller')
      .option('--embed', 'for the frame of a control panel: the session can change nothing')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead console login', 'with your own rights'],
          ['bulkhead console login --as alice --embed --json', 'for a control panel'],
        ),
      )
      .action(run(login));
  },
};
