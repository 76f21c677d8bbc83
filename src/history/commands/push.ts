/**
 * `bulkhead history push`: pushes the history to VictoriaMetrics or Prometheus. It runs without any rights, by the timer
 * of `bulkhead-history-push.service`: the agent only answers it, and never opens a connection.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { callAgent } from '../../agent/api/client.ts';
import type { HistoryWindowResponse } from '../../agent/history/history-api.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, pathsFor, print, printError, printJson } from '../../cli/shared/output.ts';
import { pushHistory } from '../io/push.ts';
import type { HistoryPushJson } from './json.ts';

interface PushOptions {
  readonly json?: boolean;
}

async function push({ json }: PushOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  // Systemd makes it, for the account of the service.
  const directory = process.env['STATE_DIRECTORY'];
  if (directory === undefined)
    return failWith({
      action: 'push the history',
      reason: 'only its service has a directory to keep how far it got',
      hint: 'run "systemctl start bulkhead-history-push"',
    });
  const token = readToken();
  if (!token.ok) return failWith(token.error);
  let hasDropped = false;
  const pushed = await pushHistory({
    ask: async (from) => {
      const asked = await callAgent<HistoryWindowResponse>(paths, '/v1/history/window', { from });
      return !asked.ok && asked.error.status === 410 ? ok('gone') : asked;
    },
    directory,
    token: token.value,
    now: Date.now(),
    onDropped: (problem) => {
      hasDropped = true;
      printError(problem);
    },
  });
  if (!pushed.ok) return failWith(pushed.error);
  const { windows, bytes, dropped } = pushed.value;
  const shown: HistoryPushJson = { windows, bytes, dropped };
  if (json === true) printJson(shown);
  else print(`pushed ${windows} times five minutes, ${bytes} bytes`);
  return hasDropped ? exitCodes.failed : exitCodes.done;
}

const tokenBytesMax = 4096;

/** Reads the credential that systemd passes on; "-": there is none. */
function readToken(): Result<string | undefined, Problem> {
  const directory = process.env['CREDENTIALS_DIRECTORY'];
  if (directory === undefined) return ok(undefined);
  const file = join(directory, 'token');
  const bytes = readBounded(file, tokenBytesMax, { links: 'refuse' });
  if (!bytes.ok) return bytes.error.errno === 'ENOENT' ? ok(undefined) : bytes;
  const token = decodeText(bytes.value).trim();
  if (token === '' || token === '-') return ok(undefined);
  return /^[\x21-\x7e]+$/.test(token)
    ? ok(token)
    : failed({ action: 'read the token', object: file, reason: 'it is not one word of ASCII' });
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['systemctl enable --now bulkhead-history-push.timer', 'it runs every five minutes'],
          ['systemctl start bulkhead-history-push', 'it runs now'],
        ),
      )
      .action(run(push));
  },
};
