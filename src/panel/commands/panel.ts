/** `bulkhead panel`: what the control panel of this host knows. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  status: {
    usage: '[options]',
    summary:
      'show what was read from the panel, where it came from, and what could not be read; exits with 3 then',
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
