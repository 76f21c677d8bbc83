/** `bulkhead cloudlinux-packages`: reads and sets limits of packages, like CloudLinux's command. */
import type { Command } from 'commander';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { pathsFor } from '../../../cli/shared/session.ts';
import type { CloudlinuxPackagesJson } from '../json.ts';
import { withLimitFlags } from '../limit-flags.ts';
import { packagesReply, type PackagesOptions } from './packages-reply.ts';
import { editablePolicy } from './panel-edit.ts';
import { printPanelReply } from './panel-reply.ts';

async function packages(
  words: readonly string[],
  options: PackagesOptions,
  command: Command,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const policy = await editablePolicy(command, options, paths);
  const reply = await packagesReply(words, options, policy);
  return printPanelReply<CloudlinuxPackagesJson>(reply, options.json === true, { packages: [] });
}

export const command: CommandModule = {
  define(command, run) {
    withLimitFlags(command)
      .addOption(policyOption())
      .option('-j, --json', 'print it as JSON')
      .option('--package <name>', 'the package')
      .option('--reseller-name <name>', 'only root: packages belong to the administrator')
      .option('--default <limits>', 'set: inherit these limits again, such as cpu,io; or all')
      .option('--no-apply', 'write the policy without applying it')
      .addHelpText(
        'after',
        examples(
          ['bulkhead cloudlinux-packages get --json', ''],
          ['bulkhead cloudlinux-packages set --json --package gold --speed=200%', ''],
          ['bulkhead cloudlinux-packages set --json --package gold --default=io,iops', ''],
        ),
      )
      .action(run(packages));
  },
};
