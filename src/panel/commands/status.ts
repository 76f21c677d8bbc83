/** `bulkhead panel status`: what was read from the panel, and what could not be. */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { pathsFor, print, printError, printJson } from '../../cli/shared/session.ts';
import { readPanel } from '../io/read-panel.ts';
import { statusJson, statusText } from './status-text.ts';

/** The number of problems that a screen shows; `--json` has all. */
const problemsShown = 20;

async function status(options: { readonly json?: boolean }, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const data = await readPanel({ paths, root: '' });
  const problems = data?.problems ?? [];
  if (options.json === true) printJson(statusJson(data));
  else {
    print(statusText(data));
    for (const each of problems.slice(0, problemsShown)) printError(each);
    if (problems.length > problemsShown)
      print(`${problems.length - problemsShown} more: bulkhead panel status --json`);
  }
  return problems.length === 0 ? exitCodes.done : exitCodes.found;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead panel status', 'counts, packages and problems'],
          ['bulkhead panel status --json', 'everything, for a program'],
        ),
      )
      .action(run(status));
  },
};
