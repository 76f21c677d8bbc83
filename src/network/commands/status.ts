/** `bulkhead network status`: how exactly the network rules of the policy are held, tried just now. */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { print, printJson } from '../../cli/shared/output.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { table } from '../../cli/shared/terminal.ts';
import { count } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import { hostHeld } from '../io/host-held.ts';
import { hostRules } from '../io/host-rules.ts';
import type { NetworkStatusJson } from './json.ts';
import { askedAsRoot, type NetworkOptions } from './whole-policy.ts';

async function status(options: NetworkOptions, command: Command): Promise<ExitCode> {
  const asked = await askedAsRoot(command, options.policy, 'try network rules');
  if (typeof asked === 'number') return asked;
  const { paths, policy } = asked;
  const rules = hostRules(paths, policy);
  const result: NetworkStatusJson = await hostHeld(paths, rules);
  if (options.json === true) printJson(result);
  else print(textOf(result));
  return result.problem === null ? exitCodes.done : exitCodes.failed;
}

function textOf({
  isWanted,
  isLoaded,
  problem,
  parts,
  remarks,
  tenants,
}: NetworkStatusJson): string {
  if (!isWanted)
    return [
      'The policy has nothing about the network: write <network>, <reach> or <listen>.',
      ...(isLoaded ? [`Programs are still loaded: ${problem ?? 'the agent ends them'}.`] : []),
    ].join('\n');
  const rows = parts.map(({ part, support, reason }) => [part, support, printable(reason)]);
  return [
    table([['PART', 'HELD', 'WHY'], ...rows]),
    `${count(tenants, 'tenant is', 'tenants are')} counted.`,
    ...remarks.map(printable),
  ].join('\n');
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead network status', 'what is held fully, partly or not at all, and why'],
          ['bulkhead network status --json', 'the same for a program'],
        ),
      )
      .action(run(status));
  },
};
