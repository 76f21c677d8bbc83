/** `bulkhead placement status`: what is in force, and what it has refused or would refuse. */
import type { Command } from 'commander';
import { printCause } from '../../base/problem.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { pathsFor, print, printError, printJson } from '../../cli/shared/output.ts';
import { strictEventText } from '../core/strict-event.ts';
import {
  keptStrictEvents,
  strictObstacle,
  strictState,
  takeStrictEvents,
  type KeptStrictEvent,
  type StrictState,
} from '../io/strict.ts';

/** All of them are in --json. */
const eventsShown = 20;

function status({ json }: { readonly json?: boolean }, command: Command): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const state = strictState(paths);
  const taken = takeStrictEvents(paths);
  if (!taken.ok) printError(taken.error);
  const cause = strictObstacle(paths);
  const obstacle = cause === undefined ? null : printCause(cause);
  const events = keptStrictEvents(paths);
  if (json === true) printJson({ placement: null, modules: null, ...state, obstacle, events });
  else print(statusText(state, obstacle, events));
  return taken.ok ? exitCodes.done : exitCodes.failed;
}

function statusText(
  state: StrictState | undefined,
  obstacle: string | null,
  events: readonly KeptStrictEvent[],
): string {
  const refused = { on: 'refused', watch: 'reported' } as const;
  const placement = state?.placement ?? undefined;
  const modules = state?.modules ?? undefined;
  return [
    placement === undefined
      ? 'Strict placement: off; <placement strict="watch"/> in the policy reports what it would refuse'
      : `Strict placement: ${placement}; ${refused[placement]} since it was loaded: ${state?.outside}`,
    modules === undefined
      ? 'Modules that tenants ask for: loaded, as the kernel does by default; <modules autoload="no"/> refuses that'
      : `Modules that tenants ask for: ${refused[modules]}, ${state?.modulesAsked} since it was loaded`,
    ...(obstacle === null ? [] : [`It cannot be on here: ${obstacle}`]),
    ...events.slice(-eventsShown).map((each) => `${each.at} ${strictEventText(each)}`),
  ].join('\n');
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--json', 'print it as JSON')
      .addHelpText('after', examples(['bulkhead placement status', '']))
      .action(run(status));
  },
};
