/** `bulkhead cloudlinux-config`: shows the alert rules of the policy, like CloudLinux's command. */
import type { Command } from 'commander';
import { policyReaderOf } from '../../../cli/capability.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { pathsFor } from '../../../cli/shared/session.ts';
import type { CloudlinuxConfigJson } from '../json.ts';
import { printPanelReply } from '../limits/panel-reply.ts';
import { configReply, type ConfigOptions } from './config-reply.ts';

async function config(
  words: readonly string[],
  options: ConfigOptions,
  command: Command,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const reader = await policyReaderOf(command);
  const reply = configReply(words, options, { file: options.policy, paths, reader });
  return printPanelReply<CloudlinuxConfigJson>(reply, options.json === true, {});
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('-j, --json', 'print it as JSON')
      .option('--data <json>', 'set: the settings; only those that the policy has already')
      .option('--for-reseller <name>', 'not supported: rules are for all resellers alike')
      .option('--reset-inodes-limit', 'not supported: see bulkhead apply')
      .addHelpText('after', examples(['bulkhead cloudlinux-config get --json', '']))
      .action(run(config));
  },
};
