/** `bulkhead web suexec status`: which suexec Apache calls, and whether ours works. */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { pathsFor, print, printJson } from '../../../cli/shared/session.ts';
import { readSuexecState, type SuexecState } from '../../io/suexec/suexec-state.ts';
import type { WebSuexecStatusJson } from '../json.ts';

export interface SuexecOptions {
  readonly json?: boolean;
}

function status(options: SuexecOptions, command: Command): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const state = readSuexecState(paths);
  if (options.json === true) printJson(state satisfies WebSuexecStatusJson);
  else print(stateText(state));
  return state.state === 'damaged' ? exitCodes.found : exitCodes.done;
}

export function stateText({ state, reason = '', program = '', caller }: SuexecState): string {
  switch (state) {
    case 'enabled':
      return `Enabled: what Apache starts through suexec starts in its tenant's cgroup and jail\n${program} makes its checks as before; only uid ${caller} can call it`;
    case 'damaged':
      return `Damaged: ${reason}; run: bulkhead web suexec enable`;
    case 'disabled':
      return `Disabled: Apache calls ${program}; its programs start outside their tenants' cgroups`;
    case 'unavailable':
      return `Not possible here: ${reason}`;
  }
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead web suexec status', 'whether it is in force'],
          ['bulkhead web suexec status --json', 'for a program'],
        ),
      )
      .action(run(status));
  },
};
