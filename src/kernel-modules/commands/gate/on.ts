/** `bulkhead modules gate on`. */
import { examples, type CommandModule } from '../../../cli/shared/command.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { requireOption } from '../setup.ts';
import { switchTo, type SwitchOptions } from './switch.ts';
import type { Command } from 'commander';

const turn = (options: SwitchOptions, command: Command) => switchTo('on', options, command);

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--dry-run', 'make the list and show it, and change nothing in the kernel')
      .option('--json', 'print the outcome as JSON')
      .addOption(requireOption())
      .addOption(policyOption())
      .addHelpText('after', examples(['bulkhead modules gate on', '']))
      .action(run(turn));
  },
};
