/** `bulkhead app status`: the state of each application. */
import type { Command } from 'commander';
import { printable } from '../../../packages/base/printable.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import {
  failWith,
  loadPolicyOrReport,
  pathsFor,
  print,
  printError,
  printJson,
} from '../../cli/shared/session.ts';
import { table } from '../../cli/shared/terminal.ts';
import { findTenant } from '../../policy/policy.ts';
import { socketPath } from '../core/names.ts';
import type { AppState } from '../core/state.ts';
import { readApps, type SeenApp } from '../io/states.ts';
import { fullName } from './subject.ts';
import type { AppRow, AppStatusJson } from './json.ts';

async function status(
  name: string | undefined,
  options: PolicyOptions,
  command: Command,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  if (loaded === undefined) return exitCodes.failed;
  const tenant = name === undefined ? undefined : findTenant(loaded.policy, name);
  if (name !== undefined && tenant === undefined)
    return failWith({ action: 'find the tenant', object: name, reason: 'the policy has none' });
  const seen = await readApps(loaded.policy, paths);
  if (!seen.ok) return failWith(seen.error);
  const apps = seen.value.apps.filter(({ id }) => tenant === undefined || id.uid === tenant.uid);
  for (const { problem } of seen.value.plan.refused) printError(problem);
  if (apps.length > 0 && seen.value.groupNote !== undefined) printError(seen.value.groupNote);
  const rows = apps.map((each) => rowOf(each, paths.instance));
  if (options.json === true) printJson({ apps: rows } satisfies AppStatusJson);
  else print(textOf(rows));
  return apps.every(({ state }) => served.has(state)) ? exitCodes.done : exitCodes.found;
}

/** States that are as the administrator wants them. */
const served: ReadonlySet<AppState> = new Set(['running', 'idle', 'tenant stopped', 'disabled']);

const rowOf = (seen: SeenApp, instance: string): AppRow => ({
  name: fullName(seen),
  uid: seen.id.uid,
  ...(seen.app.site !== undefined && { site: seen.app.site }),
  command: seen.app.command,
  socket: socketPath(instance, seen.id.uid, seen.app),
  unit: seen.service,
  state: seen.state,
  ...(seen.reason !== undefined && { reason: seen.reason }),
});

function textOf(rows: readonly AppRow[]): string {
  if (rows.length === 0) return 'No applications; <app> in a <tenant> of the policy makes one';
  const cells = rows.map(({ name, state, reason, socket, command }) => [
    printable(name),
    reason === undefined ? state : printable(`${state}: ${reason}`),
    socket,
    printable(command),
  ]);
  return table([['APPLICATION', 'STATE', 'SOCKET', 'COMMAND'], ...cells]);
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'only applications of this tenant');
    command
      .addOption(policyOption())
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(['bulkhead app status', ''], ['bulkhead app status alice --json', '']),
      )
      .action(run(status));
  },
};
