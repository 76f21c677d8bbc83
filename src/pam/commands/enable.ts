/** `bulkhead pam enable`: tenants' sessions begin in their cgroups. */
import type { Command } from 'commander';
import { examples, type CommandModule, type ExitCode } from '../../cli/shared/command.ts';
import { jailProfile, jumpProfile } from '../core/profiles.ts';
import { planEnable } from '../io/plan-enable.ts';
import { stepOf } from '../io/step.ts';
import { switchStep, type SwitchOptions } from './switch.ts';

const enable = (options: SwitchOptions, command: Command): ExitCode =>
  switchStep(options, command, (paths) => planEnable(stepOf(paths)), {
    action: 'enable the login step',
    done: ({ profiles }) => {
      const has = (profile: string) => profiles.some(({ name }) => name === profile);
      const places = has(jailProfile) ? 'cgroups and jails' : 'cgroups';
      return has(jumpProfile)
        ? `The login step is on: sessions of tenants begin in their ${places}; "bulkhead pam status" shows how`
        : 'The login step is on';
    },
    nothing: 'The login step is on already',
  });

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--dry-run', 'print what would change; changes nothing')
      .option('--json', 'print the changed files as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead pam enable --dry-run', 'what would change in /etc/pam.d'],
          ['bulkhead pam enable', 'change it; sessions that are open stay as they are'],
        ),
      )
      .action(run(enable));
  },
};
