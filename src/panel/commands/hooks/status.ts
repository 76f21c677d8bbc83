/** `bulkhead panel hooks status`: which hooks of the panel call Bulkhead. */
import type { Command } from 'commander';
import { printable } from '../../../../packages/base/printable.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { pathsFor, print, printError, printJson } from '../../../cli/shared/output.ts';
import { table } from '../../../cli/shared/terminal.ts';
import { surveyHooks, type PanelHooks } from '../../io/hooks/panel-hooks.ts';
import type { PanelHooksStatusJson } from '../json.ts';

async function status({ json }: { readonly json?: boolean }, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const found = await surveyHooks({ paths, root: '' });
  if (json === true) printJson(hooksJson(found));
  else printHooks(found);
  const problems = found.flatMap((each) => each.problems);
  if (json !== true) for (const each of problems) printError(each);
  return problems.length === 0 ? exitCodes.done : exitCodes.found;
}

const hooksJson = (found: readonly PanelHooks[]): PanelHooksStatusJson => ({
  hooks: found.flatMap(({ panel, hooks }) =>
    hooks.map(({ where, isEnabled }) => ({ panel, where, enabled: isEnabled })),
  ),
  problems: found.flatMap(({ problems }) => problems),
});

export function printHooks(found: readonly PanelHooks[]): void {
  const rows = found.flatMap(({ panel, hooks }) =>
    hooks.map(({ where, isEnabled }) => [
      panel,
      printable(where),
      isEnabled ? 'calls Bulkhead' : 'does not',
    ]),
  );
  if (rows.length === 0) print('No panel with hooks that Bulkhead knows was found');
  else print(table([['PANEL', 'HOOK', 'STATE'], ...rows]));
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(['bulkhead panel hooks status', 'each hook; exits with 3 if one cannot be read']),
      )
      .action(run(status));
  },
};
