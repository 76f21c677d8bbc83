/** `bulkhead pam`: tenants' logins, cron and at jobs begin in their cgroups, and in their jails. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  enable: {
    usage: '[options]',
    summary:
      'place sessions of tenants (ssh, su, cron, at) before their first instruction, and in their jails',
    load: () => import('./enable.ts'),
  },
  disable: {
    usage: '[options]',
    summary: "restore the host's PAM files",
    load: () => import('./disable.ts'),
  },
  status: {
    usage: '[options]',
    summary: 'show for each service whether sessions of tenants are placed, and in their jails',
    load: () => import('./status.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead pam status', "how tenants' sessions are placed"],
        ['bulkhead pam enable --dry-run', 'what would change in /etc/pam.d'],
      ),
    );
    addCommands(parent, parts);
  },
};
