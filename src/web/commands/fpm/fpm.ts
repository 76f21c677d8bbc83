/**
 * `bulkhead web fpm`: gives tenants PHP-FPM services of their own, in their cgroups from the first
 * instruction.
 */
import { examples, type CommandModule } from '../../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../../cli/shared/command-table.ts';

const parts: CommandTable = {
  enable: {
    usage: '[options] [tenant]',
    summary: "serve a tenant's pools from a service in its cgroup, at their own sockets",
    load: () => import('./enable.ts'),
  },
  disable: {
    usage: '[options] [tenant]',
    summary: "move a tenant's pools back to the distribution's php-fpm",
    load: () => import('./disable.ts'),
  },
  status: {
    usage: '[options]',
    summary: 'show which pools are served in the cgroup of their tenant, and why others are not',
    load: () => import('./status.ts'),
  },
  sync: {
    usage: '[options] <version>',
    summary: "divide the pools again; the distribution's service runs this when it is reloaded",
    load: () => import('./sync.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead web fpm enable alice --dry-run', 'what would be written and run'],
        ['bulkhead web fpm enable --all', 'every tenant that has a pool, also later ones'],
        ['bulkhead web fpm status', ''],
        ['bulkhead web fpm disable --all', "move all pools back to the distribution's php-fpm"],
      ),
    );
    addCommands(parent, parts);
  },
};
