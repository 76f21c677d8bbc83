/** `bulkhead pam disable`: restores PAM as it was before `enable`. */
import type { Command } from 'commander';
import { examples, type CommandModule, type ExitCode } from '../../cli/shared/command.ts';
import { planDisable } from '../io/plan-disable.ts';
import { switchStep, type SwitchOptions } from './switch.ts';

const disable = (options: SwitchOptions, command: Command): ExitCode =>
  switchStep(options, command, planDisable, {
    action: 'disable the login step',
    done: () => 'The login step is off',
    nothing: 'The login step is off already',
  });

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--dry-run', 'print what would change; changes nothing')
      .option('--json', 'print the changed files as JSON')
      .addHelpText('after', examples(['bulkhead pam disable', 'before Bulkhead is removed']))
      .action(run(disable));
  },
};
