/** `bulkhead db`: tenants' shares of database servers. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  status: {
    usage: '[options]',
    summary: 'show the database servers of this host, and what Bulkhead sees of each',
    load: () => import('./status.ts'),
  },
  top: {
    usage: '[options]',
    summary: 'show what each tenant uses of database servers now',
    load: () => import('./top.ts'),
  },
  accounts: {
    usage: '[options]',
    summary: 'show the accounts of database servers, the tenant of each, and why',
    load: () => import('./accounts.ts'),
  },
  enable: {
    usage: '[options]',
    summary: 'give Bulkhead the rights in database servers that it needs, and no others',
    load: () => import('./enable.ts'),
  },
  disable: {
    usage: '[options]',
    summary: 'take those rights back, and restore what was there before',
    load: () => import('./disable.ts'),
  },
  kill: {
    usage: '[options] <tenant>',
    summary: 'end the statements that a tenant runs, or all of its connections',
    load: () => import('./kill.ts'),
  },
  explain: {
    usage: '[options] <tenant>',
    summary: 'show how far a tenant was over its share of database CPU, and by which statements',
    load: () => import('./explain.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(['bulkhead db enable --dry-run', 'print what would be changed in servers']),
    );
    addCommands(parent, parts);
  },
};
