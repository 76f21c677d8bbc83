/** `bulkhead web suexec`: starts what Apache's suexec starts in the tenant's cgroup and jail. */
import { examples, type CommandModule } from '../../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../../cli/shared/command-table.ts';

const parts: CommandTable = {
  enable: {
    usage: '',
    summary: "have Apache start CGI programs and mod_fcgid in their tenants' cgroups and jails",
    load: () => import('./enable.ts'),
  },
  disable: {
    usage: '',
    summary: "have Apache call the distribution's suexec again, and remove what enable wrote",
    load: () => import('./disable.ts'),
  },
  status: {
    usage: '[options]',
    summary: 'show which suexec Apache calls; exits with 3 if it is not as enable left it',
    load: () => import('./status.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead web suexec enable', 'also repairs it, and renews it after an update'],
        ['bulkhead web suexec status', 'whether it is in force'],
      ),
    );
    addCommands(parent, parts);
  },
};
