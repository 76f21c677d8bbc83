/** `bulkhead network status`: how exactly the network rules of the policy are held, tried just now. */
import { setTimeout as sleep } from 'node:timers/promises';
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
import { agentLock, type Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { isLocked } from '../../sys/files/flock.ts';
import { hostHeld, type HostHeld } from '../io/host-held.ts';
import { hostRules } from '../io/host-rules.ts';
import type { NetworkStatusJson } from './json.ts';
import { askedAsRoot, type NetworkOptions } from './whole-policy.ts';

interface StatusOptions extends NetworkOptions {
  readonly wait?: boolean;
}

/** The agent follows a policy at once, and what else changes on the host each minute. */
const waitMilliseconds = 120_000;
const pollMilliseconds = 200;

async function status(options: StatusOptions, command: Command): Promise<ExitCode> {
  const asked = await askedAsRoot(command, options.policy, 'try network rules');
  if (typeof asked === 'number') return asked;
  const { paths, policy } = asked;
  const result: NetworkStatusJson =
    options.wait === true
      ? await heldSoon(paths, policy)
      : await hostHeld(paths, hostRules(paths, policy));
  if (options.json === true) printJson(result);
  else print(textOf(result));
  return result.problem === null ? exitCodes.done : exitCodes.failed;
}

/** Waits until the rules are in force, as long as an agent runs that can put them there. */
async function heldSoon(paths: Paths, policy: Policy): Promise<HostHeld> {
  const end = performance.now() + waitMilliseconds;
  for (;;) {
    const held = await hostHeld(paths, hostRules(paths, policy));
    const isOver = performance.now() > end || !isLocked(agentLock(paths));
    if (held.problem === null || isOver) return held;
    await sleep(pollMilliseconds);
  }
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
      .option('--wait', 'wait until the agent has put the rules in force, for two minutes at most')
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
