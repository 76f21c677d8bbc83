/** `bulkhead pam status`: the outcome of a tenant's session for each PAM service. */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { pathsFor, print, printJson } from '../../cli/shared/session.ts';
import { terminalOf } from '../../cli/shared/terminal.ts';
import { loginNotes } from '../core/notes.ts';
import { surveyLogin } from '../io/survey.ts';
import { statusText } from './status-text.ts';
import { stepOf } from '../io/step.ts';
import type { PamStatusJson } from './json.ts';

function status(options: { readonly json?: boolean }, command: Command): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const view = surveyLogin(stepOf(paths), paths);
  const notes = loginNotes(view);
  if (options.json === true)
    printJson({ ...view, tenants: view.tenants ?? null, notes } satisfies PamStatusJson);
  else print(statusText(view, notes, terminalOf(process.stdout)));
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead pam status', 'the table, and what to do'],
          ['bulkhead pam status --json', 'for a program'],
        ),
      )
      .action(run(status));
  },
};
