/** `bulkhead web entries`: limits the requests of a tenant that web servers serve at once. */
import { examples, type CommandModule } from '../../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../../cli/shared/command-table.ts';

const parts: CommandTable = {
  enable: {
    usage: '[options]',
    summary: "have the web servers enforce each tenant's entries, from now on",
    load: () => import('./enable.ts'),
  },
  disable: {
    usage: '[options]',
    summary: 'remove the files that enable wrote for the web servers',
    load: () => import('./disable.ts'),
  },
  sync: {
    usage: '[options]',
    summary:
      'rewrite the files if the policy or the sites have changed; the agent does so automatically',
    load: () => import('./sync.ts'),
  },
  status: {
    usage: '[options]',
    summary:
      'show whether entries are enforced at each site; exits with 3 if not, or if a file differs',
    load: () => import('./status.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead web entries enable --dry-run', 'what would be written'],
        ['bulkhead web entries status', 'every site with a limit, and whether it is enforced'],
      ),
    );
    addCommands(parent, parts);
  },
};
