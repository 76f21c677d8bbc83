/** `bulkhead panel`: what the control panel of this host knows. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  status: {
    usage: '[options]',
    summary:
      'show what Bulkhead read from the panel, from which files, and what it could not read (exits with 3)',
    load: () => import('./status.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(['bulkhead panel status', 'accounts, packages, resellers, domains, problems']),
    );
    addCommands(parent, parts);
  },
};
