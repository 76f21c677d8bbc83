/** `bulkhead console login`: asks the agent for a login code. The kernel tells the agent who asks. */
import { hostname } from 'node:os';
import type { Command } from 'commander';
import type { ConsoleCodeResponse } from '../../agent/api/console-api.ts';
import {
  responseOrReport,
  usageError,
  withAgent,
  type JsonOption,
} from '../../cli/shared/agent-request.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { print, printJson } from '../../cli/shared/output.ts';
import { printable } from '../../../packages/base/printable.ts';
import { consoleSocketOf } from '../../host/paths.ts';
import { nameInOrigin } from '../core/hosts.ts';
import { isListening, notListening } from '../io/listening.ts';
import type { ConsoleLoginJson } from './json.ts';

interface LoginOptions extends JsonOption {
  readonly as?: string;
  readonly embed?: boolean;
  readonly at?: string;
}

const tunnelPort = 8642;

async function login(options: LoginOptions, command: Command): Promise<ExitCode> {
  const { as, embed, at, json } = options;
  if (at !== undefined && nameInOrigin(at) === undefined) {
    const reason = `--at takes the address of the console, such as https://limits.example:843, not "${printable(at)}"`;
    return usageError({ action: 'log in to the console', reason });
  }
  return withAgent(command, async (ask, paths) => {
    const query = { ...(as !== undefined && { as }), ...(embed === true && { embed }) };
    const made = await ask<ConsoleCodeResponse>('/v1/console/codes', query, 'POST');
    const response = responseOrReport(made);
    if (response === undefined) return exitCodes.failed;
    const socket = consoleSocketOf(paths);
    const login: ConsoleLoginJson = { ...response, path: `/#code=${response.code}`, socket };
    if (json === true) printJson(login);
    else print(at === undefined ? textOf(login, isListening(paths)) : `${at}${login.path}`);
    return exitCodes.done;
  });
}

function textOf(login: ConsoleLoginJson, listens: boolean): string {
  const { path, user, readOnly, socket, expiresInSeconds } = login;
  const what = readOnly ? ', read-only' : '';
  return [
    `Login as ${printable(user)}${what}, once, within ${expiresInSeconds / 60} minutes:`,
    '',
    `  http://127.0.0.1:${tunnelPort}${path}`,
    '',
    'This address works on a computer that has a tunnel to this host:',
    '',
    `  ssh -N -L 127.0.0.1:${tunnelPort}:${socket} ${printable(hostname())}`,
    '',
    `If a web server here passes requests on to ${socket}, put its address before "${path.slice(0, 7)}…".`,
    ...(listens ? [] : ['', notListening(socket)]),
  ].join('\n');
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--as <user>', 'log in as this tenant or reseller: as root, or as its reseller')
      .option('--embed', 'for the frame of a control panel: the session can change nothing')
      .option('--at <origin>', 'print only the link, at this address of the console')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead console login', 'with your own rights'],
          [
            'bulkhead console login --as alice --embed --at https://limits.example',
            'for a control panel',
          ],
        ),
      )
      .action(run(login));
  },
};
