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
import { isForAgent, policyOption } from '../../cli/shared/policy-option.ts';
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
import type { AppState } from '../../policy/apps/app-state.ts';
import { readApps } from '../io/states.ts';
import { rowOf } from '../io/tenant-apps.ts';
import type { AppRow } from '../../policy/apps/app-state.ts';
import type { AppsResponse } from '../../agent/api/api.ts';
import { appsPath, ownUid, responseOrReport, withAgent } from '../../cli/shared/agent-request.ts';
import type { AppStatusJson } from './json.ts';

async function status(
  name: string | undefined,
  options: PolicyOptions,
  command: Command,
): Promise<ExitCode> {
  if (isForAgent(command)) return statusByAgent(name ?? ownUid() ?? '', options, command);
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
  const { refused, unreadable } = seen.value.plan;
  for (const problem of [...refused.map((each) => each.problem), ...unreadable])
    printError(problem);
  if (apps.length > 0 && seen.value.groupNote !== undefined) printError(seen.value.groupNote);
  const rows = apps.map((each) => rowOf(each, paths.instance));
  return show(rows, options, noApps);
}

/** Shows a tenant its own applications: only root reads all definitions. */
async function statusByAgent(
  name: string,
  options: PolicyOptions,
  command: Command,
): Promise<ExitCode> {
  return withAgent(command, async (ask) => {
    const answer = responseOrReport(await ask<AppsResponse>(appsPath(name)));
    if (answer === undefined) return exitCodes.failed;
    const none =
      answer.max === 0
        ? 'No applications; your plan includes no applications of your own'
        : `No applications; you may define ${answer.max}: bulkhead app set NAME --command COMMAND`;
    return show(answer.apps, options, none);
  });
}

function show(rows: readonly AppRow[], options: PolicyOptions, none: string): ExitCode {
  if (options.json === true) printJson({ apps: rows } satisfies AppStatusJson);
  else print(rows.length === 0 ? none : textOf(rows));
  return rows.every(({ state }) => served.has(state)) ? exitCodes.done : exitCodes.found;
}

const noApps = 'No applications; add <app> to a <tenant>, or <apps> to let tenants define them';

/** States that are as the administrator wants them. */
const served: ReadonlySet<AppState> = new Set([
  'running',
  'idle',
  'tenant stopped',
  'disabled',
  'not allowed',
]);

function textOf(rows: readonly AppRow[]): string {
  const cells = rows.map(({ name, by, state, reason, socket, command }) => [
    printable(name),
    by,
    reason === undefined ? state : printable(`${state}: ${reason}`),
    socket,
    printable(command),
  ]);
  return table([['APPLICATION', 'BY', 'STATE', 'SOCKET', 'COMMAND'], ...cells]);
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'only applications of this tenant');
    command
      .addOption(policyOption())
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead app status', 'of all tenants; as a tenant, your own'],
          ['bulkhead app status alice --json', ''],
        ),
      )
      .action(run(status));
  },
};
