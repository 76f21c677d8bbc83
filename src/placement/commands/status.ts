/**
 * `bulkhead placement status`: whether strict placement is in force, and what it has refused or
 * would refuse.
 */
import type { Command } from 'commander';
import type { PolicyReader } from '../../apply/load-policy.ts';
import { listSome } from '../../../packages/base/list.ts';
import {
  formatCause,
  formatProblemOrCause,
  type ProblemOrCause,
} from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { pathsFor, print, printError, printJson } from '../../cli/shared/output.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import type { Paths } from '../../host/paths.ts';
import { lsmProblem } from '../../sys/bpf/lsm.ts';
import { groupEvents, strictEventText } from '../core/event-text.ts';
import type { KeptStrictEvent } from '../io/known-events.ts';
import { policyNotEnforced } from '../io/rule-of-policy.ts';
import { keptStrictEvents, strictState, takeStrictEvents, type StrictState } from '../io/strict.ts';
import { policyReaderOf } from '../../cli/capability.ts';
import type { PlacementStatusJson } from './json.ts';

/** The number of lines shown; all of them are in --json. */
const linesShown = 20;

async function status({ json, policy }: PolicyOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const state = strictState(paths);
  const taken = takeStrictEvents(paths);
  if (!taken.ok) printError(taken.error);
  const cause = lsmProblem(paths);
  const blocker = cause === undefined ? null : formatCause(cause);
  const events = keptStrictEvents(paths);
  const missing =
    state === undefined ? ok([]) : missingTenants(await policyReaderOf(command), policy, paths);
  if (json === true) {
    const notEnforced = missing.ok ? missing.value : null;
    printJson({
      placement: null,
      modules: null,
      ...state,
      notEnforced,
      obstacle: blocker,
      events,
    } satisfies PlacementStatusJson);
  } else print(statusText(state, missing, blocker, events));
  return taken.ok ? exitCodes.done : exitCodes.failed;
}

/** Returns the tenants of the policy that are missing in the kernel. */
function missingTenants(
  reader: PolicyReader,
  file: string,
  paths: Paths,
): Result<readonly number[], ProblemOrCause> {
  const { policy, problem } = reader.load(file, paths);
  if (policy === undefined) return fail(problem ?? { reason: `${file} has errors` });
  return policyNotEnforced(policy, paths);
}

function statusText(
  state: StrictState | undefined,
  missing: Result<readonly number[], ProblemOrCause>,
  blocker: string | null,
  events: readonly KeptStrictEvent[],
): string {
  const groups = groupEvents(events);
  const shown = groups.slice(-linesShown);
  return [
    placementText(state, missing),
    modulesText(state),
    ...(blocker === null ? [] : [`It cannot be enabled here: ${blocker}`]),
    ...unlistedText(state, events),
    ...(groups.length > shown.length
      ? [`${groups.length - shown.length} other kinds are older; --json has them`]
      : []),
    ...shown.map(
      ({ last, times }) =>
        `${last.at} ${strictEventText(last)}${times === 1 ? '' : ` (${times} times)`}`,
    ),
  ].join('\n');
}

const refused = { on: 'refused', watch: 'reported' } as const;

function placementText(
  state: StrictState | undefined,
  missing: Result<readonly number[], ProblemOrCause>,
): string {
  const placement = state?.placement ?? undefined;
  if (state === undefined || placement === undefined)
    return 'Strict placement: off; <placement strict="watch"/> in the policy reports what it would refuse';
  const counted = `${refused[placement]} since it was loaded: ${state.outside}`;
  if (!missing.ok)
    return `Strict placement: ${placement}, whether for all tenants is unknown: ${formatProblemOrCause(missing.error)}; ${counted}`;
  if (missing.value.length === 0) return `Strict placement: ${placement}; ${counted}`;
  const who = listSome(missing.value.map(String));
  return `Strict placement: ${placement}, but uid ${who} is not enforced yet; run bulkhead apply; ${counted}`;
}

function modulesText(state: StrictState | undefined): string {
  const modules = state?.modules ?? undefined;
  return modules === undefined
    ? 'Modules that tenants ask for: loaded, as the kernel does by default; <modules autoload="no"/> refuses that'
    : `Modules that tenants ask for: ${refused[modules]}, ${state?.modulesAsked} since it was loaded`;
}

/** Reports counted events that no line below shows, for people who compare the two. */
function unlistedText(
  state: StrictState | undefined,
  events: readonly KeptStrictEvent[],
): readonly string[] {
  if (state === undefined) return [];
  const listed = events.filter(({ at }) => at >= state.loadedAt).length;
  const unlisted = state.outside + state.modulesAsked - listed;
  return unlisted > 0
    ? [`${unlisted} of these are in no line below: only the last ones are kept`]
    : [];
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--json', 'print it as JSON')
      .addHelpText('after', examples(['bulkhead placement status', '']))
      .action(run(status));
  },
};
