/** `bulkhead cloudlinux-limits`: reads and sets limits of tenants, like CloudLinux's command. */
import type { Command } from 'commander';
import { mainDomainsOf } from '../../../cli/capability.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { pathsFor } from '../../../cli/shared/session.ts';
import type { CloudlinuxLimitsJson } from '../json.ts';
import { withLimitFlags } from '../limit-flags.ts';
import { limitsReply, type LimitsOptions } from './limits-reply.ts';
import { editablePolicy } from './panel-edit.ts';
import { printPanelReply } from './panel-reply.ts';

async function limits(
  words: readonly string[],
  options: LimitsOptions,
  command: Command,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const policy = await editablePolicy(command, options, paths);
  const domains = () => mainDomainsOf(command, paths);
  const reply = await limitsReply(words, { options, policy, domains });
  return printPanelReply<CloudlinuxLimitsJson>(reply, options.json === true, { users: [] });
}

export const command: CommandModule = {
  define(command, run) {
    withLimitFlags(command)
      .addOption(policyOption())
      .option('-j, --json', 'print it as JSON')
      .option('--username <name>', 'the tenant, by account')
      .option('--lve-id <uid>', 'the tenant, by uid')
      .option('--domain <name>', 'the tenant, by its main domain')
      .option('--for-reseller <name>', "only this reseller's tenants; root: those without one")
      .option('--reseller-name <name>', 'set: the reseller as a whole')
      .option('--default <limits>', 'set: inherit these limits again, such as cpu,io; or all')
      .option('--cagefs <state>', 'set: only the state that the policy has; see bulkhead jail')
      .option('--inodes <soft,hard>', 'not supported: see bulkhead set')
      .option('--mysql-gov <state>', 'not supported: see bulkhead set')
      .option('--mysql-cpu <percent>', 'the same')
      .option('--mysql-io <rate>', 'the same')
      .option('--no-apply', 'write the policy without applying it')
      .addHelpText(
        'after',
        examples(
          ['bulkhead cloudlinux-limits get --json', ''],
          ['bulkhead cloudlinux-limits get --json --username alice', ''],
          ['bulkhead cloudlinux-limits set --json --username alice --speed=150% --pmem=512M', ''],
          ['bulkhead cloudlinux-limits set --json --username alice --default=all', ''],
        ),
      )
      .action(run(limits));
  },
};
