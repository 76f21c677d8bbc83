/** `bulkhead panel status`: what was read from the panel, and what could not be. */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { policyReaderOf } from '../../cli/capability.ts';
import { readPanelRecord } from '../../host/panel-record.ts';
import type { Paths } from '../../host/paths.ts';
import type { FollowedSource } from '../../policy/panel/panel-element.ts';
import { pathsFor, print, printError, printJson } from '../../cli/shared/session.ts';
import type { Policy } from '../../policy/policy.ts';
import { carriedOver } from '../core/follow.ts';
import type { PanelData } from '../core/panel-data.ts';
import { unknownPlans, unknownPlanText } from '../core/unknown-plans.ts';
import { readPanel } from '../io/read-panel.ts';
import type { PanelFollowedJson } from './json.ts';
import { statusJson, statusText } from './status-text.ts';

/** The number of problems that a screen shows; `--json` has all. */
const problemsShown = 20;

async function status(options: PolicyOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const data = await readPanel({ paths, root: '' });
  const problems = data?.problems ?? [];
  const { document, policy } = (await policyReaderOf(command)).load(options.policy, paths);
  const followed = followedOf(document?.panel?.source, policy, data, paths);
  if (options.json === true) printJson(statusJson(data, followed));
  else {
    print(statusText(data, followed));
    for (const each of followed?.unknownPlans ?? [])
      printError(`warning: ${unknownPlanText(each)}`);
    for (const each of problems.slice(0, problemsShown)) printError(each);
    if (problems.length > problemsShown)
      print(`${problems.length - problemsShown} more: bulkhead panel status --json`);
  }
  const isFine = problems.length === 0 && (followed?.unknownPlans ?? []).length === 0;
  return isFine ? exitCodes.done : exitCodes.found;
}

/** Returns how the policy follows the panel; null if it does not. */
function followedOf(
  source: FollowedSource | undefined,
  policy: Policy | undefined,
  data: PanelData | undefined,
  paths: Paths,
): PanelFollowedJson | null {
  if (source === undefined) return null;
  const record = readPanelRecord(paths);
  const last = record?.ok === true ? record.value : undefined;
  return {
    source,
    readAt: last === undefined ? null : new Date(last.readAt).toISOString(),
    carriedOver:
      last === undefined || last.source !== data?.source ? null : carriedOver(data, last.members),
    unknownPlans: policy === undefined ? null : unknownPlans(policy),
  };
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--json', 'print as JSON')
      .addOption(policyOption())
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
