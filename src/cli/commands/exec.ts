/**
 * `bulkhead exec TENANT -- CMD`: the entry script runs the launcher before Node starts. This file serves
 * help and completion, and runs the launcher for callers that start the Node program directly.
 */
import type { Command } from 'commander';
import { packageFile } from '../../sys/package-files.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../shared/command.ts';
import { pathsFor } from '../shared/session.ts';

const launcher = packageFile('libexec/bulkhead-exec');

function exec(words: readonly string[], _options: unknown, command: Command): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  // Since Node 22.15; it does not come back.
  process.execve?.(launcher, [launcher, '--instance', paths.instance, ...words], process.env);
  return exitCodes.failed;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .usage('[--chdir DIR] [--keep-env NAME]... TENANT -- CMD [ARG...]')
      .allowUnknownOption()
      .addHelpText(
        'after',
        examples(
          ['bulkhead exec alice -- id', 'as alice, inside her limits'],
          ['bulkhead exec alice -- bash -l', 'a shell'],
        ),
      )
      .action(run(exec));
  },
};
