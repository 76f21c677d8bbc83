/** `bulkhead web`: shows what serves the sites of this host. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  status: {
    usage: '[options]',
    summary:
      "show every site, its owner, what handles it, and whether that is in its tenant's cgroup",
    load: () => import('./status.ts'),
  },
  sync: {
    usage: '[options]',
    summary: "record tenants' sites again, so that their limits can be set through the agent",
    load: () => import('./sync.ts'),
  },
  entries: {
    usage: '',
    summary: 'limit how many requests of a tenant are served at once',
    load: () => import('./entries/entries.ts'),
  },
  fpm: {
    usage: '',
    summary: "serve tenants' PHP pools from services in their cgroups",
    load: () => import('./fpm/fpm.ts'),
  },
  suexec: {
    usage: '',
    summary: "start what Apache's suexec starts in the tenant's cgroup and jail",
    load: () => import('./suexec/suexec.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead web status', 'every site, its owner, and how it is placed'],
        ['bulkhead web fpm enable --all', "PHP in its tenants' cgroups from the first instruction"],
      ),
    );
    addCommands(parent, parts);
  },
};
