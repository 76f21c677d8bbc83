/** `bulkhead network`: what tenants send and receive, and whom they may talk to. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  status: {
    usage: '[options]',
    summary: 'show how exactly the network rules of the policy are held on this host',
    load: () => import('./status.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(['bulkhead network status', 'what is held fully, partly or not at all, and why']),
    );
    addCommands(parent, parts);
  },
};
