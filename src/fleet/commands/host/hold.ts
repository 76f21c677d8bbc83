/** `bulkhead fleet hold`: no release changes this host for a time. */
import type { Command } from 'commander';
import { parseDuration } from '../../../../packages/base/duration.ts';
import type { JsonOption } from '../../../cli/shared/agent-request.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { printError } from '../../../cli/shared/output.ts';
import { changeFleet } from './ask-agent.ts';
import { jsonOption } from '../shared-options.ts';

interface HoldOptions extends JsonOption {
  readonly for: string;
  readonly reason: string;
}

function hold(options: HoldOptions, command: Command): ExitCode | Promise<ExitCode> {
  const time = parseDuration(options.for);
  if (!time.ok) {
    printError(time.error);
    return exitCodes.usage;
  }
  const seconds = Math.round(time.value / 1000);
  return changeFleet('hold', { seconds, reason: options.reason }, options, command);
}

export const command: CommandModule = {
  define(command, run) {
    command
      .requiredOption('--for <time>', 'how long: 1min to 30 days')
      .requiredOption('--reason <text>', 'a note for whoever sees it')
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(
          [
            'bulkhead fleet hold --for 4h --reason "disk is replaced"',
            'a release waits until then',
          ],
          ['bulkhead fleet resume', 'it is over earlier'],
        ),
      )
      .action(run(hold));
  },
};
