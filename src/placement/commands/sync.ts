/**
 * `bulkhead placement sync`: reconciles the kernel with the policy, as apply and each boot do.
 */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { print, printJson, withPolicy, failWith } from '../../cli/shared/session.ts';
import { reconcilePlacement } from '../io/reconcile.ts';
import { strictState } from '../io/strict.ts';
import type { PlacementSyncJson } from './json.ts';

const sync = (options: PolicyOptions, command: Command): Promise<ExitCode> =>
  withPolicy(command, options.policy, (policy, driver, paths) => {
    const done = reconcilePlacement(policy, driver, paths);
    if (!done.ok) return failWith(done.error);
    const state = strictState(paths);
    if (options.json === true)
      printJson({ changed: done.value, ...state } satisfies PlacementSyncJson);
    else
      print(
        `Strict placement: ${state?.placement ?? 'off'}; modules for tenants: ${words[state?.modules ?? 'off']}`,
      );
    return exitCodes.done;
  });

const words = { on: 'refused', watch: 'watched', off: 'loaded' } as const;

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--json', 'print the outcome as JSON')
      .addHelpText('after', examples(['bulkhead placement sync', '']))
      .action(run(sync));
  },
};
